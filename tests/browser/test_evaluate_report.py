"""evaluate's report.html in headless Chromium: offline, on screens of all sizes, light and dark."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]


STAGES = ["ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"]

# Small enough to run in seconds, and trained so briefly that there are mistakes.
CHANGES = {
    ("ingest", "sample", "images"): 120,
    ("prepare_base", "image_size"): 32,
    ("train", "solve", "folds"): 2,
    ("train", "precision"): "fp32",
    ("evaluate", "bootstrap_resamples"): 200,
}


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory, run_stage):
    """The output of `evaluate` for a small run of the whole pipeline."""
    folder = tmp_path_factory.mktemp("evaluate_report")
    params = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    for (section, *keys, last), value in CHANGES.items():
        part = params[section]
        for key in keys:
            part = part[key]
        assert last in part, f"params.yaml has no {section}.{last}"
        part[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    shutil.copy(PROJECT / "config.yaml", folder)
    for stage in STAGES:
        run_stage(stage, folder)
    return folder / "artifacts" / "evaluation"


@pytest.fixture
def open_page(open_file, evaluation):
    """Opens the report."""
    return lambda width, height, colours="light": open_file(evaluation / "report.html", width, height, colours)


def rows(evaluation):
    with (evaluation / "predictions.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_verdict_and_figures_are_seen_without_scrolling(open_page):
    page = open_page(1280, 800)
    figures = page.locator(".figure .value")
    assert figures.count() == 4
    for part in [page.locator(".verdict h2"), *figures.all()]:
        box = part.bounding_box()
        assert box
        assert box["y"] + box["height"] < 800
    assert page.locator("header .notice").inner_text() == "Research use only. Not a medical device."


def test_every_section_is_reached_from_the_top(open_page):
    page = open_page(1280, 800)
    links = page.locator("nav a").all()
    assert len(links) == page.locator("main section").count() >= 9
    for link in links:
        link.click()
        target = page.locator(link.get_attribute("href"))
        assert target.locator("h2").inner_text() == link.inner_text()
        page.wait_for_function("it => it.getBoundingClientRect().top < innerHeight", arg=target.element_handle())


def test_mistakes_are_those_of_the_predictions_the_surest_first(open_page, evaluation):
    page = open_page(1280, 800)
    mistakes = [row for row in rows(evaluation) if row["correct"] == "false"]
    assert mistakes, "trained so briefly, the model makes some"
    mistakes.sort(key=lambda row: -float(row["confidence"]))
    shown = page.locator("#mistakes .path").all_inner_texts()
    assert shown == [row["path"] for row in mistakes[:24]]
    # Maps that fail their tests are not shown, and the page says why.
    tests = json.loads((evaluation / "scores.json").read_text(encoding="utf-8"))["explanations"]
    text = page.locator("#mistakes .scale").inner_text()
    assert ("all cut points" if tests["verdict"] == "passes" else tests["in_words"]) in text


def test_every_picture_can_be_seen(open_page):
    page = open_page(1280, 800)
    pictures = page.locator("img").all()
    assert len(pictures) > 10
    for picture in pictures:
        picture.scroll_into_view_if_needed()
        handle = picture.element_handle()
        page.wait_for_function("it => it.complete && it.naturalWidth > 0", arg=handle)
        assert picture.get_attribute("alt")


def test_a_table_sorts_by_the_column_that_is_pressed(open_page):
    page = open_page(1280, 800)
    table = page.locator("#classes table")
    heading = table.locator("th", has_text="Recall")

    def recalls():
        cells = table.locator("tbody tr td:nth-child(3)").all()
        return [float(cell.get_attribute("data-value")) for cell in cells]

    unsorted = recalls()
    heading.locator("button").click()
    assert recalls() == sorted(unsorted)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").press("Enter")
    assert recalls() == sorted(unsorted, reverse=True)


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_no_page_is_wider_than_its_screen(open_page, width):
    page = open_page(width, 800)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def luminance(page, element, prop):
    """Relative luminance of a colour, as defined by WCAG."""
    colour = page.locator(element).first.evaluate(
        "(it, name) => getComputedStyle(it)[name].match(/[0-9.]+/g).map(Number)", prop
    )
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in colour[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_text_is_read_with_ease_in_light_and_dark(open_page, colours):
    page = open_page(1280, 800, colours)
    ground = luminance(page, "body", "backgroundColor")
    assert (ground > 0.5) == (colours == "light")
    cases = [("body", "body"), (".lead", "body"), (".figure .label", ".figure"), (".verdict h2", ".verdict")]
    for text, behind in cases:
        pair = [luminance(page, text, "color"), luminance(page, behind, "backgroundColor")]
        contrast = (max(pair) + 0.05) / (min(pair) + 0.05)
        assert contrast >= 4.5, f"{text} on {behind}: {contrast:.1f}"
