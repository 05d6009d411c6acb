"""A training that the page starts, follows line by line, and shows to its end."""

import subprocess

from playwright.sync_api import expect

from project import ROOT, Server

PIPELINE = """
stages:
  first:
    cmd: echo one; echo two
  second:
    cmd: echo three; false
"""


def test_a_training_is_seen_from_its_start_to_its_end(made, tmp_path, visit, accessible, shoot):
    project = made.configured(tmp_path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    # Replaces the gate, which this pipeline, made to fail, never reaches.
    (tmp_path / "scripts").mkdir()
    gate = tmp_path / "scripts" / "stage"
    gate.write_text("#!/bin/sh\n", encoding="utf-8")
    gate.chmod(0o755)
    subprocess.run([ROOT / ".venv" / "bin" / "dvc", "init", "--no-scm", "--quiet"], cwd=tmp_path, check=True)
    server = Server(project)
    try:
        page = visit(server, place="training")
        expect(page.get_by_role("heading", name="No training since the server started")).to_be_visible()
        page.get_by_role("button", name="Train again").click()
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_role("heading", name="Training failed")).to_be_visible()
        lines = page.get_by_role("log").inner_text().splitlines()
        told = [line for line in lines if line in ("one", "two", "three")]
        assert told == ["one", "two", "three"]
        stages = page.locator(".stages li")
        expect(stages.nth(0)).to_have_class("done")
        expect(stages.nth(1)).to_have_class("failed")
        expect(page.locator(".outcome")).to_contain_text("The model before stays.")
        expect(page.get_by_role("button", name="Train again")).to_be_enabled()
        accessible(page)
        shoot(page, "training-failed")
    finally:
        server.stop()
