"""Thousands of idle connections, and one client with requests."""

import asyncio
import resource
from collections import Counter
from collections.abc import Sequence
from typing import Any

from serve.http1 import Connection, Lost
from serve.load import one_at_a_time
from serve.process import ResidentPeak, Serving

# Descriptors needed for other purposes.
SPARE_FILES = 200
# Connections that are being opened at a time: fewer than a listener's backlog.
OPENING = 100


def raise_file_limit() -> int:
    """Lets this process, and those it starts, open as many files as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


async def open_all(connections: Sequence[Connection]) -> Counter[str]:
    """Opens all of them; returns the errors."""
    refused: Counter[str] = Counter()
    turn = asyncio.Semaphore(OPENING)

    async def open_one(connection: Connection) -> None:
        async with turn:
            try:
                await connection.open()
            except Lost as lost:
                refused[str(lost)] += 1

    await asyncio.gather(*(open_one(connection) for connection in connections))
    return refused


def count_open(connections: Sequence[Connection]) -> int:
    return sum(connection.is_open for connection in connections)


async def answer_beside(
    server: Serving, messages: Sequence[bytes], wanted: int, warm_up: int, requests: int
) -> dict[str, Any]:
    """One client at a time beside as many idle connections as the file limit allows, up to `wanted`."""
    number = max(0, min(wanted, raise_file_limit() - SPARE_FILES))
    alone = await one_at_a_time(server.address, messages, warm_up, requests)
    before, files_before = server.resident_bytes, server.open_files
    connections = [Connection(server.address) for _ in range(number)]
    try:
        refused = await open_all(connections)
        # The event loop notices their end in its next turn.
        await asyncio.sleep(0)
        opened = count_open(connections)
        # A connection in the listener's backlog is open for us but not yet accepted by the server.
        accepted = server.open_files - files_before
        with ResidentPeak(server.pid) as peak:
            beside = await one_at_a_time(server.address, messages, 0, requests)
        open_at_end = count_open(connections)
    finally:
        for connection in connections:
            connection.close()
    # A server may close idle connections: that is not a failure, but it is reported.
    return beside.figures() | {
        "wanted": wanted,
        "opened": opened,
        "accepted_connections": accepted,
        "refused_connections": dict(refused),
        "open_at_end": open_at_end,
        "alone_p50_s": alone.figures().get("p50_s"),
        "resident_before_bytes": before,
        "resident_bytes": peak.bytes,
    }
