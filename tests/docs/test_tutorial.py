"""The tutorial's commands, in its order: what a newcomer types with the installed tool, with a small sample.

Run with: .venv-reference/bin/python -m pytest tests/docs/test_tutorial.py
HOUNSFIELD_PROGRAMS is a folder of built programs, hounsfield among them.
"""

from newcomer import Step, commands

INSTALLED = "the tool is the one that was built, and DVC and libtorch are those of .venv"

# Every command of the tutorial, in its order. One that is added there has to be added here.
STEPS = [
    Step("python3 -m venv hounsfield", not_run=INSTALLED),
    Step(". hounsfield/bin/activate", not_run=INSTALLED),
    Step("pip install hounsfield", not_run=INSTALLED),
    Step("hounsfield doctor --install", not_run=INSTALLED),
    Step("hounsfield init study --from sample --yes", "study is ready"),
    Step("cd study"),
    Step("ls", r"config\.yaml\s[\s\S]*dvc\.yaml\s[\s\S]*params\.yaml\s[\s\S]*weights"),
    Step("dvc repro", r"Running stage 'ingest'[\s\S]*Running stage 'train'[\s\S]*Running stage 'evaluate'"),
    Step("dvc repro", r"Stage 'train' didn't change, skipping[\s\S]*Stage 'evaluate' didn't change, skipping"),
    Step("git add --all"),
    Step('git commit --message "First run"', "First run"),
    Step("hounsfield scores", r"The accuracy of [\s\S]*accuracy \d\.\d+ \(95 % interval"),
    Step("dvc exp run --name stricter -S 'train.solve.strengths=[0.3, 1.0]'", r"Ran experiment\(s\): stricter"),
    Step("dvc exp diff", r"cv_loss[\s\S]*train\.solve\.strengths .*\[0\.3, 1\.0\]"),
    Step("git restore ."),
    Step("dvc checkout", "model/trained_model.safetensors"),
    Step("hounsfield predict artifacts/data_ingestion/test --output predictions.csv", "wrote predictions.csv"),
    Step("hounsfield serve", runs_on=True),
    Step(
        'curl --data-binary "@$(ls artifacts/data_ingestion/test/normal/*.png | head -1)" '
        "http://127.0.0.1:8080/v1/predict",
        '"probabilities"|"foreign_image"',
    ),
]


def test_every_command_of_the_tutorial_is_known_here():
    assert commands("docs/tutorial.md") == [step.command for step in STEPS]


def test_the_tutorial_typed_from_top_to_bottom(newcomer):
    newcomer.walks(STEPS)
