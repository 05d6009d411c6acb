"""Gathers the pages of the site from where they lie in the project: scripts/pages.py FOLDER

A document links to others as a repository's page does: to README.md, to ../weights/README.md, to a script. On the site
the pages lie in one folder. A link to a page becomes a link there, with the page's title where the text is the name of
a file. A link to another file leads to the repository. The list of contents at the head of a document is left out,
because the site shows one beside the page.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).resolve().parents[1]

# Pages that do not lie in docs/, with their names on the site.
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "bench/README.md": "bench.md",
    "corrections/README.md": "corrections.md",
    "weights/README.md": "weights.md",
}
# Of the site itself.
SITE_FILES = ("favicon.svg", "style.css")
# A link or a picture: its text and its address.
LINK = re.compile(r"\[([^]]*)\]\(([^)\s]+)\)")


def names_on_the_site(project: Path = PROJECT) -> dict[str, str]:
    """Every page, picture and file of the site: its path in the project, and its name on the site."""
    found = {path.relative_to(project).as_posix(): path.name for path in sorted((project / "docs").glob("*.*"))}
    return found | ELSEWHERE


def repository(project: Path = PROJECT) -> str:
    """The address of the repository, as Cargo.toml has it."""
    address = re.search(r'(?m)^repository = "(.*)"$', (project / "Cargo.toml").read_text(encoding="utf-8"))
    if address is None:
        raise SystemExit("pages: Cargo.toml names no repository")
    return address[1].rstrip("/")


def outside_code(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of a document, each with whether it is text, not code between fences."""
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        is_text = not fence and not mark
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        yield line, is_text


def address_on_the_site(link: str, page: str, names: dict[str, str], project: Path = PROJECT) -> str:
    """Where LINK of PAGE leads to on the site."""
    path, mark, anchor = link.partition("#")
    if not path or re.match(r"[a-z][a-z+.-]*:", path):
        return link
    target = PurePosixPath(os.path.normpath(PurePosixPath(page).parent / path)).as_posix()
    if target in names:
        return names[target] + mark + anchor
    if not (project / target).exists():
        raise SystemExit(f"pages: {page} links to {link}, which is not there")
    kind = "tree" if (project / target).is_dir() else "blob"
    return f"{repository(project)}/{kind}/main/{target}{mark}{anchor}"


def title_of(link: str, page: str, project: Path = PROJECT) -> str:
    """The title of the page that LINK of PAGE leads to."""
    text = (project / os.path.normpath(Path(page).parent / link.partition("#")[0])).read_text(encoding="utf-8")
    return text.partition("\n")[0].removeprefix("# ")


def without_contents(text: str) -> str:
    """A document without the list of its own sections at its head."""
    head, mark, rest = text.partition("\n## ")
    blocks = head.split("\n\n")
    is_contents = re.compile(r"(?:-|1\.) \[[^]]*\]\(#")
    kept = [block for block in blocks if not is_contents.match(block.lstrip("\n"))]
    return "\n\n".join(kept).rstrip("\n") + mark.replace("\n", "\n\n") + rest


def page_on_the_site(page: str, names: dict[str, str], project: Path = PROJECT) -> str:
    """The text of a page, with links as the site needs them."""

    def moved(found: re.Match[str]) -> str:
        text, address = found[1], address_on_the_site(found[2], page, names, project)
        # The name of a file says little where there is no file to be seen.
        if text.endswith((".md", "/")) and address.partition("#")[0] in names.values():
            text = title_of(found[2], page, project)
        return f"[{text}]({address})"

    lines = outside_code(without_contents((project / page).read_text(encoding="utf-8")))
    return "".join(LINK.sub(moved, line) if is_text else line for line, is_text in lines)


def gather(folder: Path, project: Path = PROJECT) -> None:
    """Writes the pages, their pictures and the site's own files to FOLDER."""
    names = names_on_the_site(project)
    for source, name in names.items():
        if name.endswith(".md"):
            (folder / name).write_text(page_on_the_site(source, names, project), encoding="utf-8")
        else:
            shutil.copy(project / source, folder / name)
    for file in SITE_FILES:
        shutil.copy(project / "docs/site" / file, folder / file)
    # Search in a site that is opened from a folder, where a browser allows no worker.
    shutil.copy(project / "docs/site/node_modules/iframe-worker/shim/index.js", folder / "iframe-worker.js")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    gather(Path(sys.argv[1]))
