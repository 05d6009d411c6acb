"""The benchmark of remotes with many small files, on a few: bench/remotes.py."""

import json
import subprocess
import sys

import pytest

from document import PROJECT

FILES = 200
PATIENCE_SECONDS = 300


def bench(project, tmp_path, *arguments):
    command = [sys.executable, PROJECT / "bench/remotes.py", "--work", tmp_path, "--output", tmp_path / "results.json"]
    return subprocess.run(
        [str(part) for part in (*command, "--dvc", project.folder / ".venv/bin/dvc", *arguments)],
        env=project.environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


def test_every_remote_gets_the_files_and_gives_them_back(project, tmp_path):
    project.shell("make setup REMOTES=s3,ssh")
    done = bench(project, tmp_path, "--files", str(FILES))
    assert done.returncode == 0, done.stderr
    assert "not measured" not in done.stdout + done.stderr
    trips = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["trips"]
    assert [(trip["remote"], trip["shape"]) for trip in trips] == [
        (remote, shape) for remote in ("folder", "s3", "ssh") for shape in ("files", "archive")
    ]
    for trip in trips:
        assert trip["files"] == FILES
        assert min(trip[name] for name in ("add_s", "push_s", "again_s", "pull_s")) > 0
        assert f"| {trip['remote']} | {trip['shape']} | {FILES} | default | {trip['add_s']:.1f} s |" in done.stdout
    assert [path.name for path in tmp_path.glob("bench-remotes-*")] == []


def test_a_remote_that_takes_too_long_gets_fewer_files(project, tmp_path):
    # DVC needs longer than this to start.
    done = bench(project, tmp_path, "--files", "20", "--fewer", "10", "--only", "folder", "--minutes", "0.001")
    assert done.returncode == 1
    for files in (20, 10):
        assert f"not measured: folder, {files} files: dvc init: took more than" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "ftp"], "--only names ftp; expected some of: folder, s3, ssh"),
        (["--jobs", "many"], "--jobs has 'many'; expected numbers above 0, or default"),
        (["--files", "0"], "have to be above 0"),
    ],
)
def test_a_wrong_option_is_said(project, tmp_path, words, said):
    done = bench(project, tmp_path, *words)
    assert done.returncode == 2
    assert said in done.stderr
