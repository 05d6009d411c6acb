"""A pull request of a fork: the job has no secret, reads a DVC remote over HTTP or goes without, and writes nowhere.

The remote is served by a real HTTP server that only reads. The remote that the project itself uses cannot be reached
from a fork: it has no key to it.
"""

import contextlib
import hashlib
import json
import sys

import pytest

import ci_study
from ci_servers import PROJECT, answers, free_port, script, started

PULL_ONLY = PROJECT / "deploy/ci/pull-only"


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return ci_study.made(tmp_path_factory.getbasetemp() / "ci-study")


@contextlib.contextmanager
def read_only(study, folder):
    """What the study pushed, over HTTP; the address, and the log of the requests."""
    folder.mkdir()
    port = free_port()
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory"]
    command += [study.folder.parent / "remote", port]
    address = f"http://127.0.0.1:{port}"
    with started(command, folder, lambda: answers(address)):
        yield address, folder / "log"


@pytest.fixture
def remote(study, tmp_path):
    with read_only(study, tmp_path / "http") as served:
        yield served


@pytest.fixture
def fork(study, tmp_path):
    """A clone whose remote needs a key."""
    clone = study.cloned(tmp_path / "fork")
    clone.shell("dvc remote modify --quiet remote url s3://private/hounsfield && git commit --quiet --all --message S3")
    return clone


def run(name, clone, *arguments, code=0, **environment):
    # Whoever runs the tests may have secrets, which a job of a fork has not.
    none = dict.fromkeys(["GH_TOKEN", "GITHUB_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], "")
    return script(name, *arguments, cwd=clone.folder, code=code, **none | clone.environment | environment)


def weaker(clone):
    """A change of a parameter, committed as a contributor does."""
    clone.change("params.yaml", "train", "solve", "strengths", value=[1e-6])
    clone.shell("git commit --quiet --all --message Weaker")


def files(study):
    """What the project's own remotes hold, of DVC and of git."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("remote", "origin.git")
        for path in (study.folder.parent / folder).rglob("*")
        if path.is_file()
    }


def methods(log):
    return {line.split('"')[1].split()[0] for line in log.read_text(encoding="utf-8").splitlines() if '"' in line}


def test_a_pull_request_that_changes_nothing_runs_nothing(fork, remote):
    address, _ = remote
    assert run("fork-repro", fork, "report.md", address)[0] == "changed=false\n"
    assert not (fork.folder / "report.md").exists()
    assert not (fork.folder / "model/trained_model.safetensors").exists()


def test_a_pull_request_gets_a_report_and_writes_nowhere(study, fork, remote):
    address, log = remote
    before, score = files(study), json.loads((fork.folder / "model/metrics.json").read_text(encoding="utf-8"))
    weaker(fork)
    head = fork.shell("git rev-parse HEAD")
    printed, said = run("fork-repro", fork, "report.md", address)
    assert printed == "changed=true\n"
    # The scans came from the remote.
    assert "Running stage 'train'" in said
    assert "Running stage 'ingest'" not in said
    report = (fork.folder / "report.md").read_text(encoding="utf-8")
    assert report.startswith("**valid_accuracy is worse: ")
    assert f"after {score['valid_accuracy']:.4f}" in report
    assert "train.solve.strengths" not in report, "the contributor committed the parameter, not the job"
    assert fork.shell("git rev-parse HEAD") == head
    assert fork.shell("git diff --cached --name-only") == ""
    assert files(study) == before
    assert methods(log) <= {"GET", "HEAD"}


def test_the_public_remote_of_the_project_needs_no_address(fork, remote):
    address, log = remote
    fork.shell(f"dvc remote add --quiet public {address} && git commit --quiet --all --message Public")
    weaker(fork)
    assert run("fork-repro", fork, "report.md")[0] == "changed=true\n"
    assert "GET" in methods(log)


def test_without_a_remote_every_stage_runs_or_none(fork):
    printed, said = run("fork-repro", fork, "report.md")
    assert printed == "changed=false\n"
    assert "no stage has to run" in said
    weaker(fork)
    printed, said = run("fork-repro", fork, "report.md")
    assert printed == "changed=true\n"
    assert "every stage runs" in said
    assert "Running stage 'ingest'" in said


@pytest.mark.parametrize(
    "words",
    [
        ["push"], ["--quiet", "push", "train"], ["--cd", ".", "push"], ["exp", "push", "origin", "run"],
        ["gc", "--workspace", "--cloud"], ["gc", "-wc"], ["add", "scans", "--to-remote"],
    ],
)  # fmt: skip
def test_a_push_is_refused_before_it_begins(fork, words):
    _, said = run("pull-only", fork, *words, code=1, PULL_ONLY_DVC="/nowhere/dvc")
    assert "writes to a remote, and this job may only read; who may write runs it after the merge" in said


def test_all_else_is_dvc(fork):
    assert run("pull-only", fork, "remote", "list")[0].split()[:2] == ["remote", "s3://private/hounsfield"]
    assert "train" in run("pull-only", fork, "stage", "list", "--name-only")[0]
    # A stage of this name, and no command.
    assert "push" in run("pull-only", fork, "repro", "push", code=255)[1]


def test_a_script_that_pushes_ends_with_the_reason(study, fork):
    before = files(study)
    weaker(fork)
    fork.shell(f"dvc remote modify --quiet remote url '{study.folder.parent}/remote' && git commit --quiet -am Folder")
    _, said = run("nightly-repro", fork, "night", "report.md", code=1, DVC=PULL_ONLY)
    assert "pull-only: dvc push writes to a remote" in said
    assert files(study) == before


def test_the_server_itself_takes_nothing(study, fork, remote):
    address, log = remote
    before = files(study)
    fork.shell(f"dvc remote add --local --default --force --quiet read-only {address}")
    (fork.folder / "scans.bin").write_bytes(b"new")
    fork.shell("dvc add --quiet scans.bin")
    fork.shell("! dvc push scans.bin")
    assert "POST" in methods(log)
    assert files(study) == before


@pytest.mark.parametrize("secret", ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
def test_a_job_with_a_secret_is_refused(fork, secret):
    _, said = run("fork-repro", fork, "report.md", code=1, **{secret: "hidden"})
    assert f"{secret} is set, and a pull request can run any command" in said
    assert "hidden" not in said


def test_an_address_that_cannot_be_read_is_said(fork):
    _, said = run("fork-repro", fork, "report.md", "s3://private/hounsfield", code=1)
    assert "s3://private/hounsfield; expected one that everyone may read, https://" in said
    nobody = f"http://127.0.0.1:{free_port()}"
    _, said = run("fork-repro", fork, "report.md", nobody, code=1)
    assert f"the remote {nobody} cannot be reached" in said
    run("fork-repro", fork, code=1)
    fork.change("params.yaml", "train", "seed", value=18)
    _, said = run("fork-repro", fork, "report.md", code=1)
    assert "commit them first" in said
