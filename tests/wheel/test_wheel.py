"""What is in the wheel and the tarball, and that they work where they are put."""

import json
import re
import subprocess
import tarfile
import time
import zipfile
from email import message_from_string

from packaging.requirements import Requirement

from installed_wheel import PROJECT, UNFRIENDLY

PROGRAMS = {
    "hounsfield", "ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate", "ensemble",
    "register", "mlflow-sync", "serve", "predict",
}  # fmt: skip
MEGABYTE = 1_000_000


def metadata(wheel):
    with zipfile.ZipFile(wheel) as file:
        [name] = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_string(file.read(name).decode())


def elf(path, *options):
    return subprocess.run(["readelf", "--wide", *options, path], capture_output=True, text=True, check=True).stdout


def test_it_says_what_it_is_and_needs(wheel, version):
    found = metadata(wheel)
    assert found["Name"] == "hounsfield"
    assert found["Version"] == version
    assert found["Requires-Python"] == ">=3.10"
    assert found["License-Expression"] == "MIT OR Apache-2.0"
    assert set(found.get_all("Provides-Extra")) == {
        *("torch", "mlflow", "notebooks", "onnx", "search"),
        *("s3", "gs", "ssh", "webdav"),
    }
    needed = [Requirement(line) for line in found.get_all("Requires-Dist")]
    [dvc] = [each for each in needed if each.marker is None]
    assert dvc.name == "dvc"
    pinned = re.search(r"^dvc==(.*)$", (PROJECT / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert dvc.specifier.contains(pinned)
    # Of two extras, and the same.
    [torch] = {each.specifier for each in needed if each.name == "torch"}
    libtorch = (PROJECT / "requirements-libtorch-cpu.txt").read_text(encoding="utf-8")
    assert torch.contains(re.search(r"^torch==([0-9.]*)", libtorch, re.MULTILINE)[1])
    assert re.fullmatch(rf"hounsfield-{version}-py3-none-manylinux_2_\d+_x86_64\.whl", wheel.name)
    assert wheel.stat().st_size < 100 * MEGABYTE, "PyPI takes files of up to 100 MB"


def test_programs_are_stripped_and_name_no_folder_of_the_machine_that_built_them(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as file:
        programs = [name for name in file.namelist() if "/programs/" in name and not name.endswith("/")]
        file.extractall(tmp_path)
    assert {name.rsplit("/", 1)[1] for name in programs} == PROGRAMS
    for name in programs:
        path = tmp_path / name
        assert ".symtab" not in elf(path, "--sections")
        rpath = re.findall(r"R(?:UN)?PATH.*\[(.*)\]", elf(path, "--dynamic"))
        assert rpath == ["$ORIGIN/../../torch/lib"]


def test_it_installs_and_answers_in_an_unfriendly_folder(installed, version):
    assert UNFRIENDLY in str(installed.packages)
    assert installed.run("hounsfield", "--version")[0].strip() == f"hounsfield {version}"
    assert installed.run("python", "-m", "hounsfield", "--version")[0].strip() == f"hounsfield {version}"
    said, _ = installed.run("python", "-c", "import hounsfield; print(hounsfield.__version__)")
    assert said.strip() == version
    said, _ = installed.run("python", "-m", "pip", "check")
    assert "No broken requirements" in said


def test_without_libtorch_one_line_says_what_to_do(installed):
    _, log = installed.run("hounsfield", "predict", "x.png", code=1)
    assert log.count("\n") == 1
    assert "hounsfield doctor --install" in log
    assert "hounsfield[torch]" in log


def test_another_version_of_torch_is_refused_by_its_number(installed):
    folder = installed.packages / "torch"
    (folder / "lib").mkdir(parents=True)
    try:
        (folder / "__init__.py").write_text("raise ImportError('never imported')\n", encoding="utf-8")
        (folder / "version.py").write_text("__version__ = '2.4.0+cpu'\n", encoding="utf-8")
        for name in ("libtorch.so", "libtorch_cpu.so", "libc10.so"):
            (folder / "lib" / name).touch()
        _, log = installed.run("hounsfield", "train", code=1)
    finally:
        subprocess.run(["rm", "-r", folder], check=True)
    assert log.count("\n") == 1
    assert "2.4" in log
    assert "2.11" in log


def snapshot(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_a_first_result_and_nothing_is_written_beside_the_package(with_torch):
    folder = with_torch.folder / "erste Studie"
    before = snapshot(with_torch.packages / "hounsfield")
    subprocess.run(["chmod", "--recursive", "a-w", with_torch.packages], check=True)
    try:
        began = time.monotonic()
        with_torch.run("hounsfield", "init", folder, "--from", "sample", "--yes")
        with_torch.run("dvc", "repro", cwd=folder)
        seconds = time.monotonic() - began
        said, _ = with_torch.run("hounsfield", "scores", cwd=folder)
        print(f"init and dvc repro of the sample: {seconds:.0f} s")
        assert "Research use only" in said
        said, _ = with_torch.run("hounsfield", "doctor", "--json", cwd=folder)
        assert json.loads(said)
        # Without NumPy, pandas or a torch that can be imported.
        code = (
            "import sys, hounsfield\n"
            "study = hounsfield.Study('.')\n"
            "image = next((study.path / 'artifacts/data_ingestion/test').glob('normal/*'))\n"
            "model = study.model()\n"
            "found = model.predict([image, image.read_bytes()], strict=False)\n"
            "assert found[0].probabilities == found[1].probabilities\n"
            "assert not {'numpy', 'torch', 'pandas'} & set(sys.modules)\n"
            "print(model.engine, study.scores['images'])\n"
        )
        said, _ = with_torch.run("python", "-c", code, cwd=folder)
        assert said.split() == ["program", "88"]
    finally:
        subprocess.run(["chmod", "--recursive", "u+w", with_torch.packages], check=True)
    assert snapshot(with_torch.packages / "hounsfield") == before


def test_the_tarball_says_where_libtorch_must_be_and_works(tarball, version, tmp_path):
    with tarfile.open(tarball) as file:
        file.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    assert {path.name for path in (folder / "bin").iterdir()} == PROGRAMS
    assert {path.name for path in folder.iterdir()} == {"bin", "LICENSE-MIT", "LICENSE-APACHE", "README.txt"}
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert version in readme
    assert "LIBTORCH" in readme
    assert "{" not in readme
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def run(*arguments, **changes):
        command = [folder / "bin" / "hounsfield", *arguments]
        return subprocess.run(command, env=environment | changes, capture_output=True, text=True, check=False)

    assert run("--version").stdout.strip() == f"hounsfield {version}"
    assert run("train", "--help").returncode == 1
    libtorch = (PROJECT / ".venv" / "libtorch").resolve()
    assert run("train", "--help", LIBTORCH=str(libtorch)).returncode == 0
    # Beside bin/, as the text says first. Its libraries are looked for from where they really are.
    (folder / "libtorch").symlink_to(libtorch)
    done = subprocess.run([folder / "bin" / "select", "--help"], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_goes_without_a_trace(installed):
    installed.run("python", "-m", "pip", "uninstall", "--yes", "hounsfield")
    left = [path for path in installed.packages.glob("*hounsfield*") if any(path.rglob("*.*"))]
    assert not left
    assert not (installed.venv / "bin" / "hounsfield").exists()
