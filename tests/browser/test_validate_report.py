"""validate's report.html in headless Chromium."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROJECT = Path(__file__).resolve().parents[2]


def body(index, brighter=0):
    """A round body with its own structure."""
    random = np.random.default_rng(index)

    def noise(side):
        pixels = random.integers(0, 256, (side, side), dtype=np.uint8)
        return np.asarray(Image.fromarray(pixels).resize((160, 160)), dtype=float)

    y, x = np.mgrid[-1:1:160j, -1:1:160j]
    grey = 40 + brighter + noise(7) / 3 + noise(40) / 6
    grey = np.where(np.hypot(x, y) < 0.9, grey, 0)
    return Image.fromarray(grey.astype(np.uint8))


@pytest.fixture(scope="module")
def validation(tmp_path_factory, run_stage):
    """The output of `validate` for scans with planted faults: a brighter class, copies across splits, two labels for
    one content."""
    folder = tmp_path_factory.mktemp("validate_report")
    shutil.copy(PROJECT / "params.yaml", folder)
    config = {
        "data": {
            "source": {"kind": "local", "path": "scans"},
            "classes": {"cancer": ["cancer"], "normal": ["normal"]},
        }
    }
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    for at, split in enumerate(["train", "valid", "test"]):
        for index in range(40):
            number = 1000 * at + 2 * index
            for class_name, picture in [("cancer", body(number, 60)), ("normal", body(number + 1))]:
                path = folder / "scans" / split / class_name / f"{index:02}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                picture.save(path)
    body(1).save(folder / "scans" / "test" / "normal" / "same.png")
    body(3).transpose(Image.Transpose.ROTATE_90).save(folder / "scans" / "test" / "normal" / "turned.jpg")
    body(5).save(folder / "scans" / "train" / "cancer" / "5-of-normal.png")
    run_stage("ingest", folder)
    run_stage("validate", folder)
    return folder / "artifacts" / "data_validation"


@pytest.fixture
def page(open_file, validation):
    return open_file(validation / "report.html")


def test_the_first_screen_says_what_is_wrong_and_what_to_do(page):
    verdict = page.locator(".verdict")
    assert verdict.locator("h2").inner_text().startswith("Problem")
    text = verdict.inner_text()
    assert "by brightness alone" in text
    assert "2 test images (2 normal) have a copy in training" in text
    assert "more than one label" in text
    figures = page.locator(".figure .value").all_inner_texts()
    assert len(figures) == 3
    assert float(figures[0]) > 0.9
    assert figures[1:] == ["2 of 82", "1"]
    box = page.locator(".figure").first.bounding_box()
    assert box["y"] + box["height"] < 800
    assert page.locator("ol li").count() >= 3


def test_pairs_are_shown_side_by_side_with_splits_and_distance(page):
    pairs = page.locator("#copies figure.pair").all()
    assert len(pairs) == 3
    first = pairs[0]
    assert first.locator("img").count() == 2
    assert first.locator(".badge.bad").inner_text() == "two labels"
    turned = page.locator("#copies figure.pair", has_text="turned.jpg")
    assert "distance" in turned.inner_text()
    assert turned.locator(".badge.train").count() == turned.locator(".badge.test").count() == 1
    left, right = [image.bounding_box() for image in first.locator("img").all()]
    assert left["y"] == right["y"]
    assert left["x"] < right["x"]


def test_baselines_sort_by_what_they_score(page):
    table = page.locator("#shortcuts table").first
    heading = table.locator("th", has_text="test accuracy").first
    heading.locator("button").click()
    heading.locator("button").click()
    assert "brightness" in table.locator("tbody tr").first.inner_text() or "32×32" in table.inner_text()
    cells = table.locator("tbody tr td:nth-child(4)").all()
    values = [float(cell.get_attribute("data-value")) for cell in cells]
    assert values == sorted(values, reverse=True)


def test_every_section_has_something_to_say(page):
    for link in page.locator("nav a").all():
        section = page.locator(link.get_attribute("href"))
        assert section.locator("h2").inner_text() == link.inner_text()
        assert len(section.inner_text()) > len(link.inner_text()) + 20


def test_pictures_can_be_seen(page):
    for picture in page.locator("img").all():
        picture.scroll_into_view_if_needed()
        handle = picture.element_handle()
        page.wait_for_function("it => it.complete && it.naturalWidth > 0", arg=handle)
        assert picture.get_attribute("alt")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1920])
def test_no_page_is_wider_than_its_screen(open_file, validation, width, colours):
    page = open_file(validation / "report.html", width=width, colours=colours)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
