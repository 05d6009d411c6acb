"""Requests from many clients at a time: as fast as they are answered, or at a given rate."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from serve.figures import latency_figures, share
from serve.http1 import Address, Answer, Connection, Lost

# Servers close idle connections; one is not used again after this time, so that no request arrives while it is being
# closed.
IDLE_S = 4.0
# Seed of the arrivals: the same in every round.
SEED = 17

Seen = Callable[[int, Answer], None]


@dataclass
class Tally:
    """The outcomes of requests."""

    accepted_s: list[float] = field(default_factory=list)
    # Latencies of 429: rejected at once, to be retried later.
    refused_s: list[float] = field(default_factory=list)
    # All other failures, by kind.
    failures: Counter[str] = field(default_factory=Counter)
    # Arrivals without a free connection in the generator.
    not_sent: int = 0
    # How much later than planned requests were sent.
    lags_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    # Of the process that generates the load.
    client_cpu_s: float = 0.0

    def count(self, answer: Answer) -> None:
        if answer.status == 200:
            self.accepted_s.append(answer.latency_s)
        elif answer.status == 429:
            self.refused_s.append(answer.latency_s)
        else:
            self.failures[f"status {answer.status}"] += 1

    @property
    def requests(self) -> int:
        return len(self.accepted_s) + len(self.refused_s) + self.failures.total()

    def figures(self) -> dict[str, Any]:
        """For results-serve.json."""
        raw: dict[str, Any] = {
            "requests": self.requests,
            "accepted": len(self.accepted_s),
            "refused": len(self.refused_s),
            "failures": dict(self.failures),
            "failed": self.failures.total(),
            "not_sent": self.not_sent,
            "accepted_per_s": share(len(self.accepted_s), self.wall_s),
            "refused_share": share(len(self.refused_s), self.requests),
            "wall_s": self.wall_s,
            "client_cores": share(self.client_cpu_s, self.wall_s),
        }
        if self.accepted_s:
            raw |= latency_figures(self.accepted_s)
        if self.refused_s:
            raw["refused_latency"] = latency_figures(self.refused_s)
        if self.lags_s:
            raw["lag"] = latency_figures(self.lags_s)
        return raw


class Timed:
    """Records the wall and processor time of a `with` block in a tally."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __enter__(self) -> None:
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_error: object) -> None:
        self._tally.wall_s = time.perf_counter() - self._began
        self._tally.client_cpu_s = time.process_time() - self._cpu


async def one_at_a_time(address: Address, messages: Sequence[bytes], warm_up: int, count: int) -> Tally:
    """One client on one connection: `warm_up` requests that do not count, then `count` that do."""
    connection = Connection(address)
    tally = Tally()
    try:
        for at in range(warm_up):
            await connection.ask(messages[at % len(messages)])
        with Timed(tally):
            for at in range(count):
                try:
                    tally.count(await connection.ask(messages[at % len(messages)]))
                except Lost as lost:
                    tally.failures[str(lost)] += 1
    finally:
        connection.close()
    return tally


async def clients(
    address: Address, messages: Sequence[bytes], number: int, stop: asyncio.Event, seen: Seen | None = None
) -> Tally:
    """A number of clients, each sending again as soon as it is answered, until `stop` is set. Every request that was
    started is waited for. `seen` gets the index of the message, and the answer."""
    tally = Tally()

    async def client(first: int) -> None:
        connection = Connection(address)
        at = first
        try:
            while not stop.is_set():
                index = at % len(messages)
                try:
                    answer = await connection.ask(messages[index])
                    tally.count(answer)
                    if seen is not None:
                        seen(index, answer)
                except Lost as lost:
                    tally.failures[str(lost)] += 1
                    # No tight loop if the server is gone.
                    await asyncio.sleep(0.05)
                at += number
        finally:
            connection.close()

    with Timed(tally):
        await asyncio.gather(*(client(first) for first in range(number)))
    return tally


async def saturate(address: Address, messages: Sequence[bytes], number: int, warm_up_s: float, seconds: float) -> Tally:
    """Runs `clients` for a given time, after a warm-up that does not count."""

    async def for_so_long(duration_s: float) -> Tally:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(duration_s, stop.set)
        return await clients(address, messages, number, stop)

    await for_so_long(warm_up_s)
    return await for_so_long(seconds)


class Pool:
    """Idle open connections, the last used first."""

    def __init__(self, address: Address, most: int) -> None:
        self._address = address
        self._idle: list[Connection] = []
        self._left = most

    def take(self) -> Connection | None:
        """A connection, opened or not; None if the maximum number is in use."""
        oldest = time.monotonic() - IDLE_S
        while self._idle and self._idle[0].used_s < oldest:
            self._drop(self._idle.pop(0))
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            self._drop(connection)
        if self._left == 0:
            return None
        self._left -= 1
        return Connection(self._address)

    def give_back(self, connection: Connection) -> None:
        connection.used_s = time.monotonic()
        self._idle.append(connection)

    def close(self) -> None:
        while self._idle:
            self._drop(self._idle.pop())

    def _drop(self, connection: Connection) -> None:
        connection.close()
        self._left += 1


async def arrive(
    address: Address, messages: Sequence[bytes], per_s: float, seconds: float, most_connections: int
) -> Tally:
    """Requests that arrive independently of earlier answers: exponential gaps, `per_s` on average, each on a free
    connection or a new one."""
    tally, pool, draw = Tally(), Pool(address, most_connections), random.Random(SEED)
    under_way: set[asyncio.Task[None]] = set()

    async def ask(connection: Connection, message: bytes, due_s: float) -> None:
        try:
            await connection.open()
            tally.lags_s.append(time.perf_counter() - due_s)
            tally.count(await connection.ask(message))
        except Lost as lost:
            tally.failures[str(lost)] += 1
        finally:
            pool.give_back(connection)

    with Timed(tally):
        began = due_s = time.perf_counter()
        at = 0
        while (due_s := due_s + draw.expovariate(per_s)) < began + seconds:
            # Even if it is late, it lets answers in between.
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            connection = pool.take()
            if connection is None:
                tally.not_sent += 1
                continue
            task = asyncio.create_task(ask(connection, messages[at % len(messages)], due_s))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            at += 1
        await asyncio.gather(*under_way)
    pool.close()
    return tally
