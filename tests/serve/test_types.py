"""Checks the page's JavaScript by TypeScript's strict rules."""

import subprocess

from project import ROOT


def test_the_page_scripts_hold_to_their_types(node_modules):
    done = subprocess.run(
        [node_modules / ".bin" / "tsc", "--project", ROOT / "tests" / "serve" / "tsconfig.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
