"""Executes the notebooks on a study, and writes them with their outputs.

scripts/notebooks.py STUDY            into docs/notebooks, where a repository page shows them
scripts/notebooks.py STUDY FOLDER     into FOLDER

STUDY is a folder that `hounsfield init` made; a synthetic one, since outputs are kept. They run in STUDY/notebooks.
"""

import shutil
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 900


def execute(notebook: Path, study: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs; raises what a cell raised."""
    place = study / "notebooks"
    place.mkdir(exist_ok=True)
    shutil.copy(notebook, place)
    content = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        content,
        timeout=PATIENCE_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(place)}},
    )
    client.execute()
    # Which Python it was is of no interest, and would change with each.
    content.metadata.language_info = nbformat.NotebookNode(name="python")
    return content


def main() -> None:
    study = Path(sys.argv[1]).resolve()
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else PROJECT / "docs" / "notebooks"
    target.mkdir(parents=True, exist_ok=True)
    for notebook in sorted((PROJECT / "python" / "notebooks").glob("*.ipynb")):
        executed = execute(notebook, study)
        nbformat.write(executed, target / notebook.name)
        print(target / notebook.name)


if __name__ == "__main__":
    main()
