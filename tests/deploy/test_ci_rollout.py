"""The smoke test on real servers, and what a roll-out makes of it."""

import csv
import os
from pathlib import Path

import pytest
import yaml

import ci_study
from built_programs import programs
from chart import helm
from ci_servers import PROJECT, SCRIPTS, free_port, script

TARGET = Path(__file__).with_name("serve_target")
CLASS = "normal"
GOOD, WEAK, MISSING = (f"{name}@sha256:{'0' * 64}" for name in ("good", "weak", "missing"))
QUICK = ["--ready-seconds", "20", "--slowest-seconds", "20"]


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return ci_study.made(tmp_path_factory.getbasetemp() / "ci-study")


@pytest.fixture(scope="session")
def models(study, tmp_path_factory):
    """A folder with two models, by the names of the images that have them."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "good").symlink_to(study.folder / "model")
    (folder / "weak").symlink_to(ci_study.weak_model(study))
    return folder


class Place:
    """Where one server runs at a time, which needs a key."""

    def __init__(self, folder, models):
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.key, entry = ci_study.key()
        config = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
        config["serve"] = {"keys": [entry], "folder": str(folder / "served")}
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self.environment = {
            "MODELS": str(models),
            "STATE": str(folder),
            "SERVED": str(folder),
            "ADDRESS": self.url.removeprefix("http://"),
            "PATH": f"{programs()}:{os.environ['PATH']}",
            "HOUNSFIELD_KEY": self.key,
        }

    def target(self, *words):
        return script(TARGET, *words, **self.environment)[0].strip()

    def roll_out(self, image, scan, code=0):
        """What the roll-out logged."""
        words = [image, self.url, scan, "--class", CLASS, *QUICK]
        return script("roll-out", TARGET, *words, code=code, **self.environment)[1]

    def smoke(self, scan, *words, code=0, **environment):
        return script("smoke_test.py", self.url, scan, *QUICK, *words, code=code, **self.environment | environment)


@pytest.fixture
def place(tmp_path, models):
    place = Place(tmp_path, models)
    yield place
    place.target("stop")


def class_of(place, scan):
    """The class that the server gives a scan."""
    return place.smoke(scan)[0].split(": ")[-1].split(" with ")[0]


def recognised(study, model, folder):
    """Scans of the class that a model gives it."""
    table = folder / "predictions.csv"
    study.shell(f"predict --quiet --model '{model}' 'artifacts/data_ingestion/test/{CLASS}' --output '{table}'")
    with table.open(encoding="utf-8", newline="") as rows:
        return {study.folder / row["path"] for row in csv.DictReader(rows) if row["class"] == CLASS}


@pytest.fixture(scope="session")
def scan(study, models, tmp_path_factory):
    """A scan that only the good model recognises."""
    good, weak = (recognised(study, models / name, tmp_path_factory.mktemp(name)) for name in ("good", "weak"))
    assert good - weak, "the models do not differ"
    return min(good - weak)


def test_a_server_that_is_well_passes_and_says_what_it_serves(place, scan):
    place.target("deploy", GOOD)
    printed, _ = place.smoke(scan, "--class", CLASS)
    assert f"is well: tumour-classifier version without a number: {CLASS} with " in printed


def test_what_is_wrong_with_a_server_is_said(place, scan, tmp_path):
    place.target("deploy", WEAK)
    _, log = place.smoke(scan, "--class", CLASS, code=1)
    assert f"the scan is {CLASS}, and the prediction is" in log
    _, log = place.smoke(scan, "--slowest-seconds", "0.0001", code=1)
    assert "more than 0.0001 s" in log
    _, log = place.smoke(scan, "--version", "7", "--ready-seconds", "1", code=1)
    assert "shows version None instead of 7" in log
    _, log = place.smoke(scan, code=1, HOUNSFIELD_KEY="hk_wrong")
    assert "401" in log
    assert place.key not in log
    text = tmp_path / "notes.txt"
    text.write_text("no image", encoding="utf-8")
    _, log = place.smoke(text, code=1)
    assert "POST /v1/predict answered 4" in log
    _, log = place.smoke(tmp_path / "nothing.png", code=2)
    assert "cannot be read" in log


def test_a_server_that_is_not_there_fails_once_its_time_is_over(place, scan):
    _, log = place.smoke(scan, "--ready-seconds", "0.5", code=1)
    assert "Connection refused" in log


def test_a_server_that_lets_everybody_in_fails_where_a_key_is_expected(place, scan):
    config = yaml.safe_load((place.folder / "config.yaml").read_text(encoding="utf-8"))
    del config["serve"]["keys"]
    (place.folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    place.target("deploy", GOOD)
    _, log = place.smoke(scan, code=1)
    assert "without a key got 200 instead of 401" in log


def test_a_good_image_stays_and_what_is_no_longer_needed_goes(place, scan):
    log = place.roll_out(GOOD, scan)
    assert "nothing runs now" in log
    assert place.target("present") == GOOD
    assert (place.folder / "settled").exists()


def test_an_image_that_fails_its_smoke_test_gives_way_to_the_one_before(place, scan):
    place.roll_out(GOOD, scan)
    (place.folder / "settled").unlink()
    log = place.roll_out(WEAK, scan, code=1)
    assert f"{WEAK} failed; going back to {GOOD}" in log
    assert f"{GOOD} runs again" in log
    assert place.target("present") == GOOD
    assert class_of(place, scan) == CLASS
    # What the roll-out would go back to stays.
    assert not (place.folder / "settled").exists()


def test_an_image_that_does_not_start_gives_way_too(place, scan):
    place.roll_out(GOOD, scan)
    assert f"{GOOD} runs again" in place.roll_out(MISSING, scan, code=1)
    assert class_of(place, scan) == CLASS


def test_a_way_back_that_fails_too_asks_for_a_person(place, scan):
    assert "nothing ran before it" in place.roll_out(WEAK, scan, code=4)
    # Weak runs now, and is what there is to go back to.
    log = place.roll_out(MISSING, scan, code=4)
    assert f"going back to {WEAK} failed too" in log


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "say what and where to"),
        ((TARGET, "serve:1.2.3", "http://127.0.0.1", "scan.png"), "names no digest"),
        (("nothing-like-it", GOOD, "http://127.0.0.1", "scan.png"), "targets/chart"),
    ],
)
def test_a_roll_out_that_says_too_little_does_nothing(words, reason):
    assert reason in script("roll-out", *words, code=2)[1]


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        ("chart", {"NAMESPACE": "wards", "VALUES": "none.yaml", "KUBECONFIG": "/nonexistent"}),
        ("host", {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_CONTEXT": ""}),
    ],
)
def test_a_target_that_cannot_be_asked_is_left_alone(target, settings):
    """No cluster, and no engine: that is not a place where nothing runs."""
    if target == "chart":
        helm()
    words = [SCRIPTS / "targets" / target, GOOD, "http://127.0.0.1:1", "scan.png"]
    assert "nothing was changed" in script("roll-out", *words, code=3, **settings)[1]
