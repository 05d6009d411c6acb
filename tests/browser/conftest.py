"""A browser for reports, and the programs that write them.

Run with: .venv-reference/bin/python -m pytest tests/browser
Chromium is the system's; HOUNSFIELD_PROGRAMS is a folder of programs built already.
"""

import os
import subprocess
from pathlib import Path

import pytest

from headless_chromium import chromium

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def run_stage():
    """Runs a stage program in a folder."""
    programs = os.environ.get("HOUNSFIELD_PROGRAMS")

    def run(stage, folder, *arguments):
        command = [Path(programs) / stage] if programs else [PROJECT / "scripts" / "stage", stage]
        done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)
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
