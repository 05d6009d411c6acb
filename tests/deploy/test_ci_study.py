"""A study in CI: the nightly run with its report, the promotion, the retraining of the chart; real DVC and MLflow."""

import hashlib
import json
import subprocess
import urllib.error
import urllib.request

import pytest

import ci_study
from chart_server import configuration, served
from ci_servers import PROJECT, mlflow, script

CLASS = "normal"
RETRAIN = PROJECT / "deploy/helm/hounsfield/files/retrain"


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return ci_study.made(tmp_path_factory.getbasetemp() / "ci-study")


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield {"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}


@pytest.fixture
def clone(study, tmp_path):
    return study.cloned(tmp_path / "clone")


@pytest.fixture(scope="module")
def pulled(study, tmp_path_factory):
    """A clone with everything that DVC has of it. What a test commits in it, it takes back."""
    clone = study.cloned(tmp_path_factory.mktemp("pulled") / "clone")
    _, log = run("promote", clone, code=1, REGISTER="register", MLFLOW_TRACKING_URI="http://127.0.0.1:1")
    assert "dvc pull" in log
    clone.shell("dvc pull --quiet")
    return clone


def run(name, clone, *arguments, code=0, **environment):
    return script(name, *arguments, cwd=clone.folder, code=code, **clone.environment | environment)


def champion(registry):
    """The version that the alias names; None before the first."""
    address = f"{registry['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/registered-models/alias"
    try:
        with urllib.request.urlopen(f"{address}?name=tumour-classifier&alias=champion", timeout=30) as answer:
            return json.load(answer)["model_version"]["version"]
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return None


def branch(study, name):
    """The commit of a branch that was pushed; None where there is none."""
    done = subprocess.run(
        ["git", "--git-dir", study.folder.parent / "origin.git", "rev-parse", "--verify", "--quiet", name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or None


def test_a_scan_is_fetched_and_nothing_else(study, clone):
    printed, _ = run("fetch-scan", clone, CLASS, clone.home / "scan")
    assert printed.strip() == f"{clone.home}/scan.png"
    first = study.scans(CLASS)[0]
    assert (clone.home / "scan.png").read_bytes() == first.read_bytes()
    files = [path for path in (clone.folder / "artifacts/data_ingestion").rglob("*") if path.is_file()]
    assert [path.name for path in files] == [first.name]
    _, log = run("fetch-scan", clone, "sarcoma", clone.home / "scan", code=1)
    assert "sarcoma" in log


def test_a_night_in_which_nothing_changed_leaves_nothing(study, clone):
    assert run("nightly-repro", clone, "quiet-night", "report.md")[0] == "changed=false\n"
    assert branch(study, "quiet-night") is None
    assert not (clone.folder / "report.md").exists()
    # Nothing was fetched that no stage reads.
    assert not (clone.folder / "model/trained_model.safetensors").exists()


def test_a_night_with_another_result_is_a_branch_with_a_report_by_validation_scores(study, clone):
    before = json.loads((clone.folder / "model/metrics.json").read_text(encoding="utf-8"))
    clone.change("params.yaml", "train", "solve", "strengths", value=[1e-6])
    _, log = run("nightly-repro", clone, "night", "report.md", code=1)
    assert "commit them first" in log
    clone.shell("git commit --quiet --all --message 'Weaker'")
    assert run("nightly-repro", clone, "night", "report.md")[0] == "changed=true\n"

    report = (clone.folder / "report.md").read_text(encoding="utf-8")
    after = json.loads((clone.folder / "model/metrics.json").read_text(encoding="utf-8"))
    assert after["valid_accuracy"] < before["valid_accuracy"]
    assert report.startswith(
        f"**valid_accuracy is worse: {after['valid_accuracy']:.4f} after {before['valid_accuracy']:.4f} (−"
    )
    loss = next(line for line in report.splitlines() if line.startswith("| valid_loss |"))
    assert loss.endswith("| worse |")
    assert "+" in loss
    assert "xychart-beta" in report
    assert "Research use only. Not a medical device." in report
    # The test split has no part in it, though its scores changed too.
    assert "scores.json" in clone.shell("git show --stat HEAD")
    assert not [line for line in report.splitlines() if "test" in line and "no part" not in line]

    # A colleague who takes the branch finds the model on the remote.
    assert branch(study, "night") == clone.shell("git rev-parse HEAD").strip()
    assert clone.shell("dvc status --cloud select calibrate") == "Cache and remote 'remote' are in sync.\n"


def test_a_report_says_what_it_cannot_compare(clone):
    _, log = run("metrics_report.py", clone, "no-such-commit", code=1)
    assert "no-such-commit" in log
    run("metrics_report.py", clone, code=2)


def test_a_registry_that_is_not_named_or_down_promotes_nothing(pulled):
    _, log = run("promote", pulled, code=1, MLFLOW_TRACKING_URI="", REGISTER="register")
    assert "name the registry" in log
    down = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    _, log = run("promote", pulled, code=1, REGISTER="register", **down)
    assert "http://127.0.0.1:1" in log


def test_a_model_is_promoted_only_if_the_gate_lets_it_pass(pulled, registry, tmp_path):
    outputs = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    settings = registry | outputs | {"REGISTER": "register"}
    # Another minimum is another commit: what is promoted is always what git says.
    pulled.change("config.yaml", "promotion", "minimum", value=0.999)
    _, log = run("promote", pulled, code=1, **settings)
    assert "the model is of no commit" in log
    pulled.shell("git commit --quiet --all --message 'Too much to ask'")
    printed, _ = run("promote", pulled, **settings)
    assert "is not promoted" in printed
    assert "promotion.minimum 0.999" in printed
    assert (tmp_path / "output").read_text().splitlines()[0] == "outcome=not_promoted"

    pulled.shell("git revert --no-edit HEAD")
    (tmp_path / "output").unlink()
    printed, _ = run("promote", pulled, **settings)
    assert "is the champion" in printed
    assert (tmp_path / "output").read_text().splitlines() == ["outcome=promoted", "version=2"]
    assert "Not a medical device" in (tmp_path / "summary").read_text()


def test_a_server_of_the_chart_serves_the_version_that_was_promoted(study, pulled, registry, tmp_path):
    outputs = {"GITHUB_OUTPUT": str(tmp_path / "output")}
    run("promote", pulled, REGISTER="register", **registry | outputs)
    version = champion(registry)
    assert f"version={version}" in (tmp_path / "output").read_text()

    key, entry = ci_study.key()
    config = configuration(tmp_path, ["staging"], [f"serve.keys={json.dumps([entry])}"])
    scan = study.scans(CLASS)[0]
    with served(config, **registry) as url:
        words = [url, scan, "--slowest-seconds", "20", "--version", version]
        printed, _ = script("smoke_test.py", *words, HOUNSFIELD_KEY=key)
        assert f"tumour-classifier version {version}: " in printed
        words[-1] = str(int(version) + 1)
        _, log = script("smoke_test.py", *words, "--ready-seconds", "1", code=1, HOUNSFIELD_KEY=key)
        assert f"shows version {version} instead of" in log


def predicted(url, key, scan):
    """The id of the server's prediction."""
    request = urllib.request.Request(f"{url}/v1/predict", scan.read_bytes(), {"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["predictions"][0]["prediction"]["id"]


def correct(url, key, prediction, label):
    body = json.dumps({"prediction_id": prediction, "class": label}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{url}/v1/feedback", body, headers), timeout=60).close()


def test_the_retraining_of_the_chart_takes_corrections_and_passes_the_gate(study, tmp_path, registry):
    key, entry = ci_study.key("admin")
    settings = [f"serve.keys={json.dumps([entry])}", "serve.store_images=all", "serve.retrain_after=0"]
    result = f"retrained-{tmp_path.name}"
    environment = ci_study.environment(tmp_path) | registry | {
        "STUDY_REPOSITORY": str(study.folder.parent / "origin.git"),
        "STUDY_BRANCH": "main",
        "RESULT_BRANCH": result,
        "TERMINATION_LOG": str(tmp_path / "outcome"),
        "CORRECTIONS_KEY": key,
    }  # fmt: skip

    def retrain(folder, **more):
        (tmp_path / folder).mkdir()
        (tmp_path / "outcome").write_text("", encoding="utf-8")
        script(RETRAIN, cwd=tmp_path / folder, **environment | more)
        return (tmp_path / "outcome").read_text(encoding="utf-8")

    # A person gives a training image another class.
    with served(configuration(tmp_path, ["single"], settings), "--model", study.folder / "model") as url:
        server = {"CORRECTIONS_SERVER": url}
        assert retrain("early", **server) == "no training is due\n"
        scan = min((study.folder / "artifacts/data_ingestion/train/adenocarcinoma").iterdir())
        correct(url, key, predicted(url, key, scan), CLASS)
        before = champion(registry)
        outcome = retrain("first", **server)
        # The server counts anew.
        assert retrain("again", **server) == "no training is due\n"
    is_promoted = champion(registry) != before
    assert outcome == ("promoted: the model is the champion\n" if is_promoted else "not promoted: the champion stays\n")
    digest = hashlib.sha256(scan.read_bytes()).hexdigest()
    assert (tmp_path / f"first/study/corrections/{CLASS}/{digest}.png").read_bytes() == scan.read_bytes()
    manifest = "artifacts/data_ingestion/manifest.csv"
    assert (tmp_path / "first/study" / manifest).read_bytes() != (study.folder / manifest).read_bytes()
    assert branch(study, result)
    # Without corrections there is nothing to learn, and nothing is fetched or offered.
    assert retrain("second", RESULT_BRANCH="") == "nothing changed since the last run\n"
    assert not (tmp_path / "second/study/artifacts/data_ingestion").exists()
