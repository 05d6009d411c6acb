"""The site of the documents: its links, what it fetches, and the commands that documents name.

Run with: .venv-reference/bin/python -m pytest tests/docs/test_site.py
HOUNSFIELD_PROGRAMS is a folder of built programs, hounsfield among them.
"""

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from newcomer import PROGRAMS, PROJECT, commands

sys.path.insert(0, str(PROJECT / "scripts"))

import pages

DOCUMENTS = sorted(name for name in pages.names_on_the_site() if name.endswith(".md"))
# The lists of programs in scripts/stage.
STAGE_PROGRAMS = re.compile(r'(?m)^(?:programs|servers)="(.*)"$')


class Page(HTMLParser):
    """The links of a page, the files that a browser fetches for it, and the places a link can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.files: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in {"canonical", "next", "prev"}:
            self.files.append(given["href"])
        elif "src" in given:
            self.files.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"HOUNSFIELD_PROGRAMS": str(PROGRAMS)}
    for command in (["scripts/setup", "docs"], ["scripts/docs", str(folder)]):
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
    return folder


@pytest.fixture(scope="module")
def site_pages(site):
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_link_of_the_site_leads_somewhere(site_pages):
    lost = []
    for path, page in site_pages.items():
        # Its links begin at the root of a server, since it is shown for any address.
        if path.name == "404.html":
            continue
        for link in page.links + page.files:
            parts = urlsplit(link)
            if parts.scheme in {"http", "https", "mailto"}:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                lost.append(f"{path.name}: {link}")
            elif parts.fragment and unquote(parts.fragment) not in site_pages[target].places:
                lost.append(f"{path.name}: {link} (no such anchor)")
    assert not lost, "\n".join(lost)


def test_the_site_fetches_nothing_from_elsewhere(site, site_pages):
    fetched = [
        f"{path.name}: {file}"
        for path, page in site_pages.items()
        for file in page.files
        if urlsplit(file).scheme or file.startswith("//")
    ]
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        fetched += [
            f"{style.name}: {found}" for found in re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)|@import[^;]*", text)
        ]
    assert not fetched, "\n".join(fetched)


def test_every_document_is_on_the_site_and_so_are_the_generated_pages(site):
    generated = {"programs.html", "exit-codes.html", "http-api.html", "files.html"}
    expected = {
        name.removesuffix(".md") + ".html" for name in pages.names_on_the_site().values() if name.endswith(".md")
    }
    assert {path.name for path in site.glob("*.html")} == expected | generated | {"404.html"}


def test_every_page_says_what_it_is_not(site_pages):
    for path in site_pages:
        assert "Research use only. Not a medical device." in path.read_text(encoding="utf-8"), path.name


def anchors(document: str) -> set[str]:
    """The anchors of a document's headings, as a repository's page has them."""
    found: dict[str, int] = {}
    names = set()
    for line, is_text in pages.outside_code((PROJECT / document).read_text(encoding="utf-8")):
        if is_text and (heading := re.match(r"#+ (.*)", line)):
            shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).strip().lower()
            name = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
            names.add(f"{name}-{found[name]}" if name in found else name)
            found[name] = found.get(name, 0) + 1
    return names


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere_on_a_page_of_the_repository_too(document):
    lost = []
    for line, is_text in pages.outside_code((PROJECT / document).read_text(encoding="utf-8")):
        for found in pages.LINK.finditer(line) if is_text else []:
            path, _, anchor = found[2].partition("#")
            if re.match(r"[a-z][a-z+.-]*:", path):
                continue
            target = Path(os.path.normpath(Path(document).parent / path)).as_posix() if path else document
            if not (PROJECT / target).exists() or (anchor and anchor not in anchors(target)):
                lost.append(found[2])
    assert not lost, lost


def shown_commands(document: str) -> Iterator[str]:
    """Every command that a document shows: a line of a shell block, or the words of a code span."""
    yield from commands(document)
    for line, is_text in pages.outside_code((PROJECT / document).read_text(encoding="utf-8")):
        if is_text:
            yield from re.findall(r"(?<!`)`([^`]+)`(?!`)", line)


@functools.cache
def help_of(program: str, *command: str) -> str:
    """What a program, or a command of one, answers to --help."""
    arguments = [program, *command, "--help"]
    done = subprocess.run(
        [PROJECT / "scripts/stage", *arguments], env=os.environ | {"HOUNSFIELD_PROGRAMS": str(PROGRAMS)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def programs() -> set[str]:
    text = (PROJECT / "scripts/stage").read_text(encoding="utf-8")
    return {name for line in STAGE_PROGRAMS.findall(text) for name in line.split()} | {"hounsfield"}


def subcommands(text: str) -> set[str]:
    section = re.search(r"^Commands:\n((?:[ \t]+\S.*\n|\n)+)", text, re.MULTILINE)
    return set(re.findall(r"^  ([a-z][a-z0-9-]*)", section[1], re.MULTILINE)) if section else set()


def wrong_with_program(program: str, words: list[str]) -> str:
    """What is wrong with the words after a program's name, or nothing."""
    if program not in programs():
        return f"there is no program {program}"
    text = help_of(program)
    if words and words[0] in subcommands(text) and words[0] != "help":
        if program == "hounsfield" and words[0] in programs():
            return wrong_with_program(words[0], words[1:])
        text = help_of(program, words[0])
    elif program == "hounsfield" and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        return f"hounsfield has no command {words[0]}"
    for word in words:
        option = re.match(r"--?[a-z][a-z-]*", word)
        if (
            option
            and option[0] not in {"--help", "--version"}
            and not re.search(rf"(?<![\w-]){option[0]}(?![\w-])", text)
        ):
            return f"{program} has no option {option[0]}"
    return ""


def wrong_with_make(words: list[str]) -> str:
    """What is wrong with the words after make, or nothing."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    if re.fullmatch(r"[a-z-]+", words[0]) and not re.search(rf"(?m)^{words[0]}:", makefile):
        return f"the Makefile has no target {words[0]}"
    for name in re.findall(r"\b([A-Z_]+)=", " ".join(words)):
        if f"$({name})" not in makefile and name != "MLFLOW_TRACKING_URI":
            return f"the Makefile knows no {name}"
    return ""


def wrong_with_part(words: list[str]) -> str:
    """What is wrong with one command of a line, or nothing."""
    match words:
        case ["make", *rest] if rest:
            return wrong_with_make(rest)
        case ["scripts/stage", program, *rest] if not program.startswith("-"):
            return wrong_with_program(program, rest)
        case ["hounsfield", first, *rest] if re.fullmatch(r"[a-z-]+", first):
            return wrong_with_program("hounsfield", [first, *rest])
        case [path, *_] if re.fullmatch(r"(scripts|\.ci|bench|tests)/[\w./-]+", path) and not (PROJECT / path).exists():
            return f"there is no {path}"
    return ""


def wrong_with(command: str) -> str:
    """What is wrong with a command that a document shows, or nothing."""
    for part in re.split(r"\s*(?:&&|\|\||\||;)\s*", command):
        words = part.split()
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            del words[0]
        if wrong := wrong_with_part(words):
            return wrong
    return ""


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_a_document_names_exists(document):
    # What a version had is told of it, not what there is now.
    if document == "CHANGELOG.md":
        return
    wrong = {command: said for command in shown_commands(document) if (said := wrong_with(command))}
    assert not wrong, "\n".join(f"{command}: {said}" for command, said in wrong.items())


@pytest.mark.parametrize(
    "command",
    [
        "make nothing",
        "make repro NOTHING=1",
        "scripts/nothing",
        "cd study && scripts/stage nothing",
        "hounsfield nothing",
        "A=1 hounsfield predict --nothing scans",
    ],
)
def test_a_command_that_does_not_exist_is_found(command):
    assert wrong_with(command)


def test_a_command_that_exists_is_not_found():
    assert not wrong_with("A=1 hounsfield predict ~/scans --output predictions.csv && make docs")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_experiments_set_keys_that_exist(document):
    rows = re.findall(r"(?m)^\| `([a-z0-9_.]+)` \|", (PROJECT / "docs/configuration.md").read_text(encoding="utf-8"))
    sections = {".".join(key.split(".")[:depth]) for key in rows for depth in range(1, key.count(".") + 2)}
    text = (PROJECT / document).read_text(encoding="utf-8")
    unknown = [key for key in re.findall(r"-S '?([a-z_.]+)=", text) if key not in sections]
    assert not unknown, unknown


def test_the_table_of_files_names_what_the_stages_write():
    pipeline = yaml.safe_load((PROJECT / "dvc.yaml").read_text(encoding="utf-8"))
    architecture = (PROJECT / "docs/architecture.md").read_text(encoding="utf-8")
    for name, stage in pipeline["stages"].items():
        row = re.search(rf"(?m)^\| `{name}`(?: \(.*\))? \| .* \| (.*) \|$", architecture)
        assert row is not None or name == "select", name
        rows = re.findall(rf"(?m)^\| `{name}`(?: \(.*?\))? \|.*$", architecture)
        written = [
            next(iter(out)) if isinstance(out, dict) else out for out in stage["outs"] + stage.get("metrics", [])
        ]
        for out in written:
            assert any(out.rsplit("/", 1)[-1] in row for row in rows), f"{out} of {name}"
