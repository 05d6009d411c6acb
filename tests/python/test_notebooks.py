"""The notebooks run from top to bottom, and the executed copies in docs/ are of these."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from small_study import PROJECT

NOTEBOOKS = sorted((PROJECT / "python" / "notebooks").glob("*.ipynb"))


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def outputs(path):
    return [output for cell in cells(path) for output in cell.get("outputs", [])]


def test_init_copies_them(made):
    for notebook in NOTEBOOKS:
        assert (made.path / "notebooks" / notebook.name).read_bytes() == notebook.read_bytes()


def test_they_run_from_top_to_bottom(copy, tmp_path):
    command = [sys.executable, PROJECT / "scripts" / "notebooks.py", copy.path, tmp_path / "executed"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = sorted((tmp_path / "executed").glob("*.ipynb"))
    assert [path.name for path in written] == [path.name for path in NOTEBOOKS]
    assert all(outputs(path) for path in written)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_copy_in_docs_shows_the_outputs_of_this_notebook(notebook):
    executed = PROJECT / "docs" / "notebooks" / notebook.name
    assert [cell["source"] for cell in cells(executed)] == [cell["source"] for cell in cells(notebook)]
    assert not outputs(notebook)
    found = outputs(executed)
    assert found
    assert not [output for output in found if output["output_type"] == "error"]
    text = executed.read_text(encoding="utf-8")
    assert "Research use only" in text
    for place in (str(PROJECT), str(Path.home()), tempfile.gettempdir()):
        assert place not in text
