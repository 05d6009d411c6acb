"""The server's log in PostgreSQL, by rsyslog, and the remapping for Elasticsearch and Loki.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_logs.py
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from monitoring_logs import LOGS, PASSWORD, Rsyslog, log_database
from monitoring_programs import installed, wait_until
from monitoring_server import Server

pytest_plugins = ["monitoring_fixtures"]

NODE = Path(__file__).resolve().parent / "node"
SCHEMA = ["--file", LOGS / "postgresql/schema.sql"]
COLUMNS = ["level", "message", "request_id", "method", "route", "status", "milliseconds"]

# What a program may write that goes wrong, and what no column can hold.
ODD_LINES = [
    "thread 'main' panicked at src/lib.rs:1:1: it's \\ \"over\"'); drop table hounsfield.log; --",
    '{"timestamp":"sometime","level":"INFO","message":"no time"}',
    '{"message":"a \\u0000 in it"}',
    '{"status":"many"}',
    '{"status":99999999999999}',
    "[1,2]",
    "3",
    "{",
]


@pytest.fixture(scope="module")
def postgres():
    with log_database() as server:
        server.query(*SCHEMA)
        server.query("--command", f"alter role hounsfield_rsyslog password '{PASSWORD}'")
        yield server


@pytest.fixture
def database(postgres):
    """PostgreSQL without a line."""
    postgres.query("--command", "truncate hounsfield.log")
    return postgres


@pytest.fixture
def rsyslog(database, tmp_path):
    folder = tmp_path / "rsyslog"
    folder.mkdir()
    return Rsyslog(folder, database)


@pytest.fixture
def server(small_model, rsyslog, tmp_path):
    server = Server(small_model, tmp_path / "served", log=rsyslog.folder / "logs/serve.log")
    yield server
    server.stop()


def rows(database, where="true"):
    listed = f"select coalesce(json_agg(log order by id), '[]') from hounsfield.log where {where}"
    return json.loads(database.query("--command", listed))


def as_line(row):
    """The line that a row was made from, without its time."""
    return {name: row[name] for name in COLUMNS if row[name] is not None} | row["more"]


def logged(server):
    lines = [json.loads(line) for line in server.log.read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name != "timestamp"} for line in lines]


def test_each_line_of_a_server_becomes_a_row_also_after_an_outage(database, rsyslog, server):
    images = server.images()
    with rsyslog.running():
        assert server.predict(images[0])[0] == 200
        (row,) = wait_until(lambda: rows(database, "route = '/v1/predict'"), "no row came")
        assert (row["level"], row["message"], row["method"], row["status"]) == ("INFO", "request", "POST", 200)
        assert row["request_id"] == images[0].stem[:60]
        assert row["milliseconds"] > 0

        with database.stopped():
            assert server.predict(images[1])[0] == 200
        wait_until(lambda: len(rows(database)) >= len(logged(server)), lambda: f"only {rows(database)} came")
    # Nothing listens.
    assert server.predict(images[2])[0] == 200
    with rsyslog.running():
        wait_until(lambda: len(rows(database)) >= len(logged(server)), lambda: f"only {rows(database)} came")
    assert [as_line(row) for row in rows(database)] == logged(server)


def test_rsyslog_that_ends_during_an_outage_forgets_one_line_at_most(database, rsyslog):
    sent = [f"line {number}" for number in range(20)]
    with (rsyslog.folder / "logs/serve.log").open("w", encoding="utf-8") as log:

        def write(messages):
            log.writelines(json.dumps({"message": message}) + "\n" for message in messages)
            log.flush()

        with database.stopped(), rsyslog.running():
            write(sent)
            own = rsyslog.folder / "own.log"
            wait_until(lambda: own.exists() and "suspended" in own.read_text(), "rsyslog does not notice the outage")
        with rsyslog.running():
            write(["the last one"])
            wait_until(lambda: rows(database, "message = 'the last one'"), lambda: f"only {rows(database)} came")
            wait_until(lambda: len(rows(database)) >= len(sent), lambda: f"only {rows(database)} came")
    assert len(set(sent) - {row["message"] for row in rows(database)}) <= 1


def test_no_line_holds_up_the_lines_after_it(database, rsyslog):
    with rsyslog.running():
        log = rsyslog.folder / "logs/serve.log"
        last = json.dumps({"level": "INFO", "message": "the last one"})
        log.write_bytes("\n".join([*ODD_LINES, last, ""]).encode().replace(b"over", b"\xff"))
        wait_until(lambda: rows(database, "message = 'the last one'"), lambda: f"only {rows(database)} came")
    raw = [row["message"] for row in rows(database, "level = 'RAW'")]
    assert raw == [ODD_LINES[0].replace("over", " "), *ODD_LINES[1:]]


@pytest.mark.parametrize("way", ["docker", "journal"])
def test_lines_also_come_from_docker_and_from_the_journal(database, rsyslog, way):
    logger = installed("logger", "bsdutils", "HOUNSFIELD_REQUIRE_RSYSLOG")
    how = {
        "docker": ["--tcp", "--server", "127.0.0.1", "--port", str(rsyslog.port), "--rfc5424"],
        "journal": ["--socket", str(rsyslog.socket)],
    }[way]
    line = json.dumps({"level": "WARN", "message": "sent", "keys": 2})
    with rsyslog.running():
        subprocess.run([logger, *how, "--tag", "another", "of another program"], check=True)
        subprocess.run([logger, *how, "--tag", "hounsfield", line], check=True)
        wait_until(lambda: rows(database, "message = 'sent'"), "no row came")
    (row,) = rows(database, "message = 'sent'")
    assert (row["level"], row["more"]) == ("WARN", {"keys": 2})
    others = rows(database, "message like '%another%'")
    assert len(others) == (1 if way == "docker" else 0), "only the port is for the server alone"


def test_rsyslog_may_add_lines_and_nothing_else(database):
    add = "select hounsfield.add_line('ward', '{\"message\": \"added\"}')"
    database.query("--command", add, user="hounsfield_rsyslog")
    for forbidden in ["select * from hounsfield.log", "delete from hounsfield.log", "select hounsfield.forget_log(0)"]:
        with pytest.raises(AssertionError, match="permission denied"):
            database.query("--command", forbidden, user="hounsfield_rsyslog")


def test_old_lines_are_forgotten_and_the_schema_may_be_applied_again(database):
    for age in ["1 day", "40 days"]:
        line = f"select hounsfield.add_line('ward', json_build_object('timestamp', now() - interval '{age}')::text)"
        database.query("--command", line)
    database.query(*SCHEMA)
    assert database.query("--command", "select hounsfield.forget_log(30)") == "1"
    assert len(rows(database)) == 1


def test_the_log_can_be_rotated_while_the_server_writes(database, rsyslog, server, tmp_path):
    logrotate = installed("logrotate", "logrotate", "HOUNSFIELD_REQUIRE_RSYSLOG")
    config = (LOGS / "logrotate/hounsfield").read_text(encoding="utf-8")
    assert config.count("\n/var/log/hounsfield/") == 1
    config = config.replace("\n/var/log/hounsfield/", f"\n{rsyslog.folder}/logs/")
    (tmp_path / "logrotate.conf").write_text(config, encoding="utf-8")
    (tmp_path / "logrotate.conf").chmod(0o644)
    with rsyslog.running():
        server.predict(server.images()[0])
        wait_until(lambda: rows(database, "route = '/v1/predict'"), "no row came")
        rotate = [logrotate, "--force", "--state", tmp_path / "state", tmp_path / "logrotate.conf"]
        subprocess.run(rotate, check=True)
        assert server.log.stat().st_size == 0
        server.predict(server.images()[1])
        wait_until(lambda: len(rows(database, "route = '/v1/predict'")) == 2, "no row came after the rotation")
    assert [file.suffix for file in sorted(server.log.parent.iterdir())] == [".log", ".gz"]


def test_vector_makes_the_same_fields(small_model, tmp_path, node_modules):
    config = yaml.safe_load((LOGS / "vector/vector.yaml").read_text(encoding="utf-8"))
    server = Server(small_model, tmp_path / "served")
    try:
        server.predict(server.images()[0])
    finally:
        server.stop()
    lines = server.log.read_text(encoding="utf-8").splitlines()
    program = config["transforms"]["hounsfield"]["source"]
    done = subprocess.run(
        [shutil.which("node"), node_modules.parent / "remap.mjs", program],
        input="\n".join([*lines, "thread 'main' panicked", "[1]"]), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = [json.loads(event) for event in done.stdout.splitlines()]
    assert [{**json.loads(line), "host": "ward"} for line in lines] == events[:-2]
    assert [(event["level"], event["message"]) for event in events[-2:]] == [
        ("RAW", "thread 'main' panicked"),
        ("RAW", "[1]"),
    ]
    inputs = {name: sink["inputs"] for name, sink in config["sinks"].items()}
    assert inputs == {"elasticsearch": ["hounsfield"], "loki": ["hounsfield"]}
