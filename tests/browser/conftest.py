"""A browser for reports, and the programs that write them.

Run with: .venv-reference/bin/python -m pytest tests/browser
Chromium is the system's; HOUNSFIELD_PROGRAMS is a folder of programs built already.
"""

import subprocess

import pytest

from built_programs import stage_programs
from headless_chromium import chromium


@pytest.fixture(scope="session")
def run_stage():
    """Runs a stage program in a folder."""

    def run(stage, folder, *arguments):
        done = subprocess.run(
            [stage_programs() / stage, *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{stage} ended with {done.returncode}:\n{done.stderr}"

    return run


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_file(browser):
    """Opens a page without a network; any request except for the file itself, and any error, fails the test."""
    complaints, contexts = [], []

    def open_at(file, width=1280, height=800, colours="light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours, offline=True)
        contexts.append(context)
        page = context.new_page()
        allowed = (file.as_uri(), "data:")
        page.on(
            "request",
            lambda it: it.url.startswith(allowed) or complaints.append(f"asked for {it.url}"),
        )
        page.on("console", lambda it: it.type == "error" and complaints.append(it.text))
        page.on("pageerror", lambda it: complaints.append(str(it)))
        page.goto(file.as_uri())
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert complaints == []
