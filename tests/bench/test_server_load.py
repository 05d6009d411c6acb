"""The arithmetic of the server's benchmark, and the load generator's record of what a server does.

Run with: .venv-reference/bin/python -m pytest tests/bench
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from measure import NotMeasured, Run
from rows import Measured
from serve import figures, load, table
from serve.http1 import Address, Answer, Connection, Lost, parse_head, request
from serve.ours import Ours, temporary_config
from serve.process import serving
from serve.scans import Scans
from serve.swaps import Judge

Told = TypeVar("Told")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def taken(**values: object) -> Run:
    return Run(1.0, 0, "", "", values)


def with_server(handler: Handler, ask: Callable[[Address], Awaitable[Told]]) -> Told:
    """Runs `ask` against a real socket that `handler` answers."""

    async def both() -> Told:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await ask(Address("127.0.0.1", port))

    return asyncio.run(both())


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


def answering(statuses: list[int]) -> Handler:
    """Keeps connections open; each request gets the next of the statuses, starting again after the last."""
    asked = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            while True:
                await read_request(reader)
                status = statuses[asked % len(statuses)]
                asked += 1
                writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: 2\r\n\r\nok" % status)
        except asyncio.IncompleteReadError:
            writer.close()

    return handle


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [15.0, 20.0, 35.0, 40.0, 50.0]
    # The nearest ranks of the textbook example.
    assert [figures.percentile(values, p) for p in (5, 30, 40, 50, 100)] == [15, 20, 20, 35, 50]
    assert figures.percentile(list(range(1, 101)), 95) == 95
    assert figures.percentile(list(range(1, 1001)), 99) == 990
    with pytest.raises(ValueError, match="no values"):
        figures.percentile([], 50)
    with pytest.raises(ValueError, match="0 %"):
        figures.percentile(values, 0)


def test_the_start_cancels_out_of_a_rate() -> None:
    # 3 s of start, 20 images a second.
    assert figures.rate_of_two_sizes(100, 3 + 5, 400, 3 + 20) == pytest.approx(20)
    with pytest.raises(ValueError, match="tell no rate"):
        figures.rate_of_two_sizes(100, 8.0, 400, 7.9)


def test_latencies_of_429_are_not_those_of_predictions() -> None:
    tally = load.Tally(wall_s=2.0, client_cpu_s=0.5)
    for status, latency_s in [(200, 0.3), (429, 0.001), (200, 0.5), (503, 9.0)]:
        tally.count(Answer(status, b"", latency_s))
    told = tally.figures()
    assert (told["accepted"], told["refused"], told["failed"]) == (2, 1, 1)
    assert told["refused_share"] == pytest.approx(0.25)
    assert told["accepted_per_s"] == pytest.approx(1.0)
    assert (told["p50_s"], told["p99_s"]) == (0.3, 0.5)
    assert told["failures"] == {"status 503": 1}
    assert told["client_cores"] == pytest.approx(0.25)


def test_ratios_are_taken_within_a_round() -> None:
    measured = Measured(
        runs={"a": [taken(x=1.0), taken(x=10.0), taken(x=3.0)], "b": [taken(x=2.0), taken(x=20.0), taken(x=12.0)]}
    )
    # 0.5, 0.5 and 0.25; the medians alone would give 3 / 12.
    assert table.ratio_of(measured, "a", "x", "x", "b") == pytest.approx(0.5)


def test_one_lost_request_in_any_round_misses_the_target() -> None:
    swap = {
        "swaps": 20,
        "requests": 500,
        "mixed": 0,
        "told_apart": 400,
        "models": 2,
        "swap_p50_s": 1.0,
        "swap_longest_s": 2.0,
    }
    measured = Measured(runs={"swap": [taken(lost=0, **swap), taken(lost=1, **swap), taken(lost=0, **swap)]})
    lost, mixed, _ = table.table(measured, {"swap"})
    assert (lost.ratio, lost.verdict) == (1, "missed")
    assert (mixed.ratio, mixed.verdict) == (0, "met")


def test_a_missing_peer_leaves_our_latency_and_its_reason() -> None:
    measured = Measured(
        runs={"alone": [taken(p50_s=0.1, p95_s=0.2, client_cores=0.1)]}, missing={"peer_flask": "no Flask here"}
    )
    first = table.table(measured, {"alone"})[0]
    assert (first.ours, first.ratio, first.verdict) == ("100.0 ms", None, "")
    assert "no Flask here" in first.peer


def test_a_head_says_how_long_the_body_is_and_whether_the_connection_stays() -> None:
    head = b"http/1.1 429 too many requests\r\ncontent-length: 12\r\nconnection: close\r\n\r\n"
    assert parse_head(head) == (429, 12, False)
    assert parse_head(b"http/1.1 200 ok\r\ncontent-length: 0\r\n\r\n") == (200, 0, True)
    assert parse_head(b"http/1.0 200 ok\r\ncontent-length: 0\r\n\r\n") == (200, 0, False)
    with pytest.raises(ValueError, match="no content-length"):
        parse_head(b"http/1.1 200 ok\r\ntransfer-encoding: chunked\r\n\r\n")


def test_every_client_asks_and_every_answer_is_counted() -> None:
    async def ask(address: Address) -> load.Tally:
        stop, images = asyncio.Event(), []

        def seen(image: int, _answer: Answer) -> None:
            images.append(image)
            if len(images) == 40:
                stop.set()

        messages = [request(address, "POST", "/", b"x" * size) for size in (1, 2, 3)]
        tally = await load.clients(address, messages, 4, stop, seen)
        assert tally.requests == len(images) >= 40
        assert set(images) == {0, 1, 2}
        return tally

    tally = with_server(answering([200, 429, 500, 200]), ask)
    assert tally.failures.keys() == {"status 500"}
    assert len(tally.refused_s) == pytest.approx(tally.requests / 4, abs=1)


def test_an_answer_that_breaks_off_is_lost() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        writer.close()

    async def ask(address: Address) -> None:
        with pytest.raises(Lost, match="closed within the answer"):
            await Connection(address).ask(request(address, "GET", "/"))

    with_server(half, ask)


def test_a_server_that_is_gone_is_a_failure_and_not_an_error() -> None:
    async def where_it_was(address: Address) -> Address:
        return address

    gone = with_server(answering([200]), where_it_was)
    tally = asyncio.run(load.one_at_a_time(gone, [b""], 0, 3))
    assert tally.failures == {"connect: ConnectionRefusedError": 3}


def test_arrivals_do_not_wait_for_answers() -> None:
    released = asyncio.Event()
    waiting = 0

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        await read_request(reader)
        waiting += 1
        # Clients that wait for answers would never have three waiting.
        if waiting == 3:
            released.set()
        await released.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def ask(address: Address) -> load.Tally:
        return await load.arrive(address, [request(address, "GET", "/")], per_s=200, seconds=0.2, most_connections=100)

    tally = with_server(hold, ask)
    assert len(tally.accepted_s) == tally.requests >= 3
    assert tally.not_sent == 0


def test_arrivals_beyond_the_connections_are_told() -> None:
    released = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await released.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def ask(address: Address) -> load.Tally:
        asyncio.get_running_loop().call_later(0.5, released.set)
        return await load.arrive(address, [request(address, "GET", "/")], per_s=200, seconds=0.2, most_connections=2)

    tally = with_server(hold, ask)
    assert tally.requests == 2
    assert tally.not_sent > 0


def test_an_answer_under_a_wrong_name_is_seen() -> None:
    judge = Judge(alone={"a": [[0.9, 0.1], [0.5, 0.5]], "b": [[0.2, 0.8], [0.5, 0.5]]})
    judge.judge(0, "a", [0.9001, 0.0999])
    judge.judge(1, "b", [0.5, 0.5])
    assert (judge.mixed, judge.told_apart) == (0, 1)
    judge.judge(0, "a", [0.2, 0.8])
    judge.judge(1, "unknown", [0.5, 0.5])
    assert (judge.mixed, judge.told_apart) == (2, 2)
    assert judge.answers == {"a": 2, "b": 1, "unknown": 1}


def test_the_temporary_server_keeps_its_own_records_and_no_one_out(tmp_path: Path) -> None:
    text = """
data: {source: {kind: sample}}
paths: {model: elsewhere, evaluation: scores}
serve:
  queue_requests: 7
  database: postgres://ward/predictions
  keys: [{name: ward, role: predict, sha256: 00}]
  limits: {images: 3, requests_per_minute: 60}
"""
    config = yaml.safe_load(temporary_config(yaml.safe_load(text), tmp_path))
    assert config["data"] == {"source": {"kind": "sample"}}
    assert config["paths"] == {"model": "model", "evaluation": "scores"}
    serve = config["serve"]
    assert serve["database"] == f"sqlite:{tmp_path}/predictions.db"
    assert serve["limits"] == {"images": 3, "requests_per_minute": 0}
    assert (serve["queue_requests"], serve["address"]) == (7, "127.0.0.1:0")
    assert "keys" not in serve


def test_a_model_takes_the_place_of_another_and_leaves_the_projects_alone(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("model", "second"):
        (project / name).mkdir(parents=True)
        (project / name / "model.json").write_text(json.dumps({"it": name}))
    (project / "artifacts").mkdir()
    (project / "config.yaml").write_text("{}")
    ours = Ours(Path("serve"), project, tmp_path / "work", tmp_path / "logs")
    ours.make_folder()
    ours.serve_from(project / "second")
    assert json.loads((tmp_path / "work/model/model.json").read_text()) == {"it": "second"}
    ours.make_folder()
    assert json.loads((tmp_path / "work/model/model.json").read_text()) == {"it": "model"}
    assert not (project / "model").is_symlink()


def test_images_of_all_folders_come_early(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        for number in range(20):
            (tmp_path / folder / f"{number}.png").write_bytes(b"x")
    (tmp_path / "a/notes.txt").write_text("no image")
    files = Scans.below(tmp_path).files
    assert len(files) == 60
    assert {file.parent.name for file in files[:12]} == {"a", "b", "c"}
    with pytest.raises(NotMeasured, match="no images"):
        Scans.below(tmp_path / "none")


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo the port is taken >&2; exit 3"]
    with (
        pytest.raises(NotMeasured, match="exit code 3: the port is taken"),
        serving(command, tmp_path, tmp_path / "log.log", 60),
    ):
        pass


def test_a_server_ends_with_its_block(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; print('listening on http://127.0.0.1:81'); time.sleep(600)"]
    with serving(command, tmp_path, tmp_path / "log.log", 60) as server:
        assert (server.address.host, server.address.port) == ("127.0.0.1", 81)
        assert server.resident_bytes > 1_000_000
        server.check_alive()
    with pytest.raises(NotMeasured, match="ended by itself"):
        server.check_alive()
