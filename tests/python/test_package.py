"""What the package needs, and what it says where something is missing."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

import hounsfield
from hounsfield import _tool
from small_study import PROJECT

HEAVY = ["torch", "pandas", "numpy", "mlflow", "PIL", "safetensors", "matplotlib"]


def python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_brings_nothing_heavy():
    code = f"import sys, hounsfield; hounsfield.Study, hounsfield.load; print([n for n in {HEAVY} if n in sys.modules])"
    assert python(code) == "[]"


def test_every_name_is_there():
    for name in hounsfield.__all__:
        assert getattr(hounsfield, name)
    assert set(hounsfield.__all__) <= set(dir(hounsfield))
    with pytest.raises(AttributeError, match="nothing"):
        _ = hounsfield.nothing


@pytest.mark.parametrize(
    ("package", "call", "extra"),
    [
        ("pandas", "hounsfield.Study(study).predictions", "notebooks"),
        ("mlflow", "hounsfield.load('models:/x@champion')", "mlflow"),
        ("torch", "hounsfield.load(study, engine='torch')", "torch"),
    ],
)
def test_a_missing_package_is_named_with_its_command(made, package, call, extra):
    code = (
        f"import sys, hounsfield; sys.modules['{package}'] = None; study = {str(made.path)!r}\n"
        f"try: {call}\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    said = python(code)
    assert said.startswith("MissingPackage")
    assert f'pip install "hounsfield[{extra}]"' in said


def test_without_torch_the_program_predicts(made):
    code = (
        "import sys, hounsfield; sys.modules['torch'] = None\n"
        f"model = hounsfield.load({str(made.path)!r})\n"
        f"image = next((model.folder.parent / 'artifacts/data_ingestion/test').glob('*/*'))\n"
        "print(model.engine, model.predict(image, strict=False).image == str(image), 'numpy' in sys.modules)"
    )
    assert python(code, LIBTORCH=str(PROJECT / ".venv" / "libtorch")) == "program True False"


def launch(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "hounsfield", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_programs_the_command_says_so(tmp_path):
    done = launch("scores", HOUNSFIELD_PROGRAMS=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("hounsfield: there is no program")
    assert done.stderr.count("\n") == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOUNSFIELD_PROGRAMS", str(tmp_path))
        with pytest.raises(hounsfield.NotThere, match="install the wheel"):
            _tool.run("predict")


@pytest.fixture
def fake(tmp_path):
    """A program `hounsfield` that tells how it was started."""
    program = tmp_path / "programs" / "hounsfield"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, signal, sys\n"
        "if sys.argv[1:] == ['wait']:\n"
        "    print(os.getpid(), flush=True)\n"
        "    signal.pause()\n"
        "names = ['HOUNSFIELD_PYTHON', 'HOUNSFIELD_TORCH', 'PATH']\n"
        "print(json.dumps([sys.argv[1:], {name: os.environ.get(name) for name in names}]))\n"
        "sys.exit(7)\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return str(program.parent)


def test_the_command_becomes_the_program(fake, tmp_path):
    done = launch("train", "--seed", "a b", HOUNSFIELD_PROGRAMS=fake, PATH="/usr/bin:/bin", HOME=str(tmp_path))
    assert done.returncode == 7
    arguments, environment = json.loads(done.stdout)
    assert arguments == ["train", "--seed", "a b"]
    assert environment["HOUNSFIELD_PYTHON"] == sys.executable
    assert environment["HOUNSFIELD_TORCH"].endswith("/torch")
    # DVC is found beside this Python, even where the virtual environment is not activated.
    assert environment["PATH"].split(":")[0] == os.path.dirname(sys.executable)  # noqa: PTH120


def test_signals_reach_the_program(fake):
    environment = os.environ | {"HOUNSFIELD_PROGRAMS": fake}
    command = [sys.executable, "-m", "hounsfield", "wait"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(timeout=10) == -signal.SIGTERM
        assert time.monotonic() - began < 5


def test_errors_can_be_pickled():
    for error in (hounsfield.StageFailed("train", 1, "words"), hounsfield.NotThere("words")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error) == "words"
        assert vars(again) == vars(error)
