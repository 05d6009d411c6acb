"""deploy/compose: one command starts the server with its database and MLflow, and makes the first key.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_compose.py
Where the image `postgres` cannot be pulled, Debian's PostgreSQL stands in. Prometheus, Alertmanager and Grafana
are not started: their part of compose.yaml is only checked.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from container_engine import PROJECT, build, docker, engine, missing, output_of
from container_server import ask
from container_study import run, scan_of, study_below
from mlflow_server import free_port

COMPOSE = PROJECT / "deploy/compose"
PATIENCE_SECONDS = 60


def example():
    return (COMPOSE / ".env.example").read_text(encoding="utf-8")


def value_of(name):
    return re.search(rf"^{name}=(.*)$", example(), re.MULTILINE)[1]


def ran(command, environment, code=0):
    """Runs a script of deploy/compose; what it prints."""
    done = subprocess.run(
        list(map(str, command)),
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def eventually(holds):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


def postgres_image():
    """The image that .env.example names, or the stand-in for it."""
    program, _ = engine()
    named = value_of("POSTGRES_IMAGE")
    if any(output_of(program, *command, named) is not None for command in [("image", "inspect"), ("pull",)]):
        return named
    with_buildkit = os.environ | {"DOCKER_BUILDKIT": "1"}
    docker("build", "--tag", "hounsfield-tests-postgres", Path(__file__).parent / "debian_postgres", env=with_buildkit)
    return "hounsfield-tests-postgres"


def copied(folder, **settings):
    """A copy of deploy/ with its own settings in .env; its folder compose."""
    made_by_up = shutil.ignore_patterns(".env", "secrets", "config.yaml")
    shutil.copytree(COMPOSE, folder / "deploy/compose", ignore=made_by_up)
    text = example()
    for name, value in settings.items():
        text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert count == 1, f".env.example has no {name}"
    (folder / "deploy/compose/.env").write_text(text, encoding="utf-8")
    return folder / "deploy/compose"


@pytest.fixture
def environment():
    """Of the scripts: with an engine, which has to be there, and Compose."""
    program, reason = engine()
    if program is None:
        missing(reason)
    environment = os.environ | {"DOCKER": program}
    if output_of(program, "compose", "version") is None and shutil.which("docker-compose") is None:
        missing("Docker Compose is missing: apt-get install docker-compose, or the plugin")
    return environment


def test_every_service_is_locked_and_every_setting_is_explained():
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    for name, service in yaml.safe_load(text)["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        for port in service.get("ports", []):
            assert value_of(re.match(r"\$\{(\w+)\}:", port)[1]).startswith("127.0.0.1:"), name
        assert not any("PASSWORD" in key and "FILE" not in key for key in service.get("environment", {})), name
    used = set(re.findall(r"\$\{(\w+)\}", text)) | {"COMPOSE_PROJECT_NAME"}
    assert used == set(re.findall(r"^(\w+)=", example(), re.MULTILINE))
    # Whatever is pulled has a version.
    images = {name: value_of(name) for name in used if name.endswith("_IMAGE")}
    assert all(re.search(r":(v?\d+\.\d+|latest$)", image) for image in images.values()), images
    assert [name for name, image in images.items() if image.endswith(":latest")] in (
        ["SERVE_IMAGE", "MLFLOW_IMAGE"],
        ["MLFLOW_IMAGE", "SERVE_IMAGE"],
    )


def test_the_files_of_the_monitoring_are_there():
    if not (PROJECT / "deploy/monitoring").exists():
        pytest.skip("deploy/monitoring is not there")
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    mounted = re.findall(r"- (\.\.?/[^:]+):", text)
    assert any("monitoring" in path for path in mounted)
    assert [path for path in mounted if path != "./config.yaml" and not (COMPOSE / path).exists()] == []


def test_compose_accepts_the_file(environment, tmp_path):
    folder = copied(tmp_path)
    services = ran([folder / "compose", "config", "--services"], environment).split()
    assert {"server", "postgres", "mlflow", "prometheus", "alertmanager", "grafana"} == set(services)


def test_without_a_model_up_says_what_to_do(environment, tmp_path):
    folder = copied(tmp_path, MODEL_FOLDER=tmp_path)
    assert "holds no model; make repro makes one" in ran([folder / "up", "server"], environment, code=1)
    assert sorted(file.name for file in tmp_path.rglob("secrets/*")) == []


def test_one_command_starts_it_and_makes_the_first_key(environment, tmp_path, tmp_path_factory):
    study = shutil.copytree(study_below(tmp_path_factory.getbasetemp()), tmp_path / "study")
    serve_port, mlflow_port = free_port(), free_port()
    folder = copied(
        tmp_path,
        COMPOSE_PROJECT_NAME=f"hounsfield-tests-{os.getpid()}",
        HOUNSFIELD_UID=os.getuid() or 10001,
        MODEL_FOLDER=study / "model",
        SERVE_IMAGE=build("serve", tmp_path),
        MLFLOW_IMAGE=build("mlflow", tmp_path),
        POSTGRES_IMAGE=postgres_image(),
        SERVE_PORT=f"127.0.0.1:{serve_port}",
        MLFLOW_PORT=f"127.0.0.1:{mlflow_port}",
    )
    try:
        printed = ran([folder / "up", "server", "mlflow"], environment)
        key = re.search(r"first key.*: (hk_\w+)", printed)[1]
        url = f"http://127.0.0.1:{serve_port}"
        uses(folder, environment, url, key, scan_of(study))
        follows_the_registry(folder, environment, url, key, study, f"http://127.0.0.1:{mlflow_port}")
    finally:
        ran([folder / "down", "--volumes"], environment)


def uses(folder, environment, url, key, scan):
    """Predicts, makes another key, and finds the prediction after down and up."""
    status, answer = ask(url, key, "/v1/predict", scan)
    assert status == 200, answer
    prediction = answer["predictions"][0]["prediction"]["id"]

    # The key is nowhere. The passwords are in a closed folder, and in no container's settings.
    texts = [file.read_text(encoding="utf-8") for file in folder.rglob("*") if file.is_file()]
    assert not any(key in text for text in texts)
    assert (folder / "secrets").stat().st_mode & 0o077 == 0
    password = (folder / "secrets/postgres_password").read_text(encoding="utf-8")
    assert len(password) == 48
    for name in ["server", "postgres"]:
        container = ran([folder / "compose", "ps", "-q", name], environment).strip()
        assert password not in docker("inspect", container)

    # Another key counts on the running server, and only for what its role allows.
    reader = ran([folder / "key", "ward-3", "predict"], environment).strip()
    eventually(lambda: ask(url, reader, "/v1/session")[0] == 200)
    assert ask(url, reader, "/v1/predictions")[0] == 403
    assert "has a key of the name" in ran([folder / "key", "ward-3", "predict"], environment, code=1)

    # Predictions outlive the containers, and up makes no second first key.
    ran([folder / "down"], environment)
    assert "hk_" not in ran([folder / "up", "server", "mlflow"], environment)
    assert ask(url, key, f"/v1/predictions/{prediction}")[0] == 200


def follows_the_registry(folder, environment, url, key, study, mlflow):
    """A version on MLflow becomes the champion, and is what a server with serve.follow answers with."""
    eventually(lambda: ask(mlflow, "", "/api/2.0/mlflow/experiments/search?max_results=1")[0] == 200)
    run(study, "evaluate")
    run(study, "register", MLFLOW_TRACKING_URI=mlflow)
    assert ask(url, key, "/v1/model")[1]["version"] is None
    config = folder / "config.yaml"
    text = config.read_text(encoding="utf-8")
    # In place: the container sees the file that was there when it was made.
    config.write_text(text.replace("  # follow:", "  follow:"), encoding="utf-8")
    shutil.rmtree(study / "model")
    ran([folder / "compose", "restart", "server"], environment)
    ran([folder / "up", "server"], environment)
    assert ask(url, key, "/v1/model")[1]["version"] == "1"
