"""The prediction server's page in headless Chromium, with the real server behind it.

Run with: .venv-reference/bin/python -m pytest tests/serve
Chromium is the system's; axe-core comes by `npm ci` in this folder. HOUNSFIELD_PROGRAMS is a folder of
programs built already. HOUNSFIELD_SHOTS is a folder that pictures of the page go to.
"""

import os
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect

from headless_chromium import chromium
from project import Project, Server

HERE = Path(__file__).resolve().parent

# A busy machine answers late.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def node_modules():
    """The packages pinned by package-lock.json."""
    folder = HERE / "node_modules"
    if not (folder / "axe-core" / "axe.min.js").exists():
        subprocess.run(["npm", "ci", "--no-fund", "--no-audit"], cwd=HERE, check=True)
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A project in which the pipeline ran. The tests serve copies of it."""
    return Project.made(tmp_path_factory.mktemp("made"))


@pytest.fixture
def serve(made, tmp_path):
    """Starts a server with these settings and its own folder."""
    servers: list[Server] = []

    def start(**settings):
        folder = tmp_path / f"served-{len(servers)}"
        folder.mkdir()
        project = made.configured(folder, **settings)
        server = Server(project)
        servers.append(server)
        return server, project

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def shared(made, tmp_path_factory):
    """One server without keys, for tests that do not depend on other tests' requests."""
    project = made.configured(tmp_path_factory.mktemp("shared"))
    server = Server(project)
    yield server, project
    server.stop()


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser):
    """Opens the page. A request to another host, a script error or a violation of the security policy fails the
    test."""
    complaints, contexts = [], []

    def open_at(server, place="scans", width=1280, height=800, colours="light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        allowed = (server.url, "data:", f"blob:{server.url}")
        page.on("request", lambda it: it.url.startswith(allowed) or complaints.append(f"asked for {it.url}"))
        # Some tests expect a refusal; everything else is an error.
        page.on(
            "console",
            lambda it: it.type == "error" and "Failed to load resource" not in it.text and complaints.append(it.text),
        )
        page.on("pageerror", lambda it: complaints.append(str(it)))
        page.goto(f"{server.url}/#/{place}")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def accessible(node_modules):
    """Runs axe-core, and fails on any finding."""
    source = (node_modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")

    def check(page):
        page.evaluate(source + ";0")
        found = page.evaluate(
            "axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => "
            "({ id, impact, at: nodes.map((node) => node.target.join(' ')) })))"
        )
        assert found == []

    return check


@pytest.fixture
def shoot():
    """Stores a picture of the page in HOUNSFIELD_SHOTS."""
    folder = os.environ.get("HOUNSFIELD_SHOTS")

    def keep(page, name):
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png")

    return keep
