"""The README's commands, in its order: what a newcomer types, with a small sample.

Run with: .venv-reference/bin/python -m pytest tests/docs/test_readme.py
HOUNSFIELD_PROGRAMS is a folder of built programs, hounsfield among them.
"""

from newcomer import Step, commands

ACCURACY = r"The accuracy of [\s\S]*accuracy \d\.\d+ \(95 % interval [\s\S]*Research use only"

# Every command of the README, in its order. One that is added there has to be added here.
INSTALL = [
    Step("pip install hounsfield", not_run="the tool is the one that was built"),
    Step("hounsfield doctor --install", not_run="libtorch is that of .venv"),
]
FIRST_STUDY = [
    Step("hounsfield init study --from sample --yes", "study is ready"),
    Step("cd study"),
    Step("dvc repro", "Running stage 'evaluate'"),
    Step("hounsfield scores", ACCURACY),
    Step("hounsfield serve", runs_on=True),
]
OWN_SCANS = [
    Step("cd .."),
    Step("hounsfield init lungs --from chest-ct --data ~/chest-ctscan-images.zip --yes", "lungs is ready"),
    Step("cd lungs"),
    Step("dvc repro", "Running stage 'evaluate'"),
]
SOURCE_TREE = [
    Step("make repro", ACCURACY),
    Step("make test", not_run="this test is a part of it"),
]


def test_every_command_of_the_readme_is_known_here():
    steps = INSTALL + FIRST_STUDY + OWN_SCANS + SOURCE_TREE
    assert commands("README.md") == [step.command for step in steps]


def test_the_installed_tool_does_what_the_readme_says(newcomer):
    newcomer.walks(INSTALL + FIRST_STUDY)
    templates = newcomer.home / "templates"
    newcomer.types(f"hounsfield init {templates} --from chest-ct")
    newcomer.brings_scans(newcomer.place / "artifacts/data_ingestion", templates / "config.yaml")
    newcomer.walks(OWN_SCANS)


def test_the_source_tree_does_what_the_readme_says(newcomer):
    newcomer.clones(newcomer.place)
    newcomer.walks(SOURCE_TREE)
    # A run changes nothing of what git holds, but for the lock and the scores.
    changed = newcomer.types("git status --porcelain params.yaml config.yaml dvc.yaml")
    assert not changed.strip(), changed
