"""The measurements of the servers: each trial starts its own process, and ends it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import NotMeasured, Run
from serve.figures import share
from serve.idle import answer_beside
from serve.load import arrive, one_at_a_time, saturate
from serve.offline import Offline
from serve.ours import Ours, ready_after_s
from serve.peer import Peer
from serve.process import ResidentPeak, Serving
from serve.scans import Scans
from serve.swaps import swap_under_load


@dataclass(frozen=True)
class Sizes:
    """The numbers of requests, clients and seconds."""

    clients: int = 16
    # One at a time.
    warm_up: int = 10
    requests: int = 100
    starts: int = 3
    saturation_s: float = 20.0
    saturation_warm_up_s: float = 3.0
    overload: float = 10.0
    overload_s: float = 60.0
    # Between overload and the second measurement of memory.
    rest_s: float = 2.0
    most_connections: int = 2000
    idle_connections: int = 10_000
    idle_requests: int = 50
    swaps: int = 20


@dataclass(frozen=True)
class Trials:
    """Both sides, the images, and the numbers."""

    ours: Ours
    peer: Peer
    offline: Offline
    scans: Scans
    sizes: Sizes
    second_model: Path | None

    def start(self) -> Run:
        """Time from start to ready, the median of several starts."""

        def measure() -> dict[str, Any]:
            times = []
            for _ in range(self.sizes.starts):
                with self.ours.start("start") as server:
                    times.append(asyncio.run(ready_after_s(server)))
            return {
                "ready_s": sorted(times)[len(times) // 2],
                "all_ready_s": times,
                "model_bytes": self.ours.model_bytes(),
            }

        return timed(measure)

    def alone(self) -> Run:
        """One request at a time, to ours."""
        return self.with_ours("alone", self.ask_alone)

    def peer_alone(self, server: str) -> Run:
        """The same to the peer: `server` is flask or waitress."""

        def measure() -> dict[str, Any]:
            with self.peer.start(server, self.ours) as peer:
                return asyncio.run(self.ask_alone(peer))

        return timed(measure)

    async def ask_alone(self, server: Serving) -> dict[str, Any]:
        cpu_s = server.cpu_s
        messages = self.scans.as_base64(server.address)
        tally = await one_at_a_time(server.address, messages, self.sizes.warm_up, self.sizes.requests)
        if tally.failures or tally.refused_s:
            raise NotMeasured(
                f"of {self.sizes.requests} requests, {len(tally.refused_s)} were turned away "
                f"and others failed: {dict(tally.failures)}"
            )
        return tally.figures() | {"server_cpu_s": server.cpu_s - cpu_s}

    def saturation(self) -> Run:
        """Many clients, each sending again as soon as it is answered."""
        return self.with_ours("saturation", self.ask_saturated)

    async def ask_saturated(self, server: Serving, clients: int | None = None) -> dict[str, Any]:
        tally = await saturate(
            server.address,
            self.scans.as_bytes(server.address),
            clients or self.sizes.clients,
            self.sizes.saturation_warm_up_s,
            self.sizes.saturation_s,
        )
        server.check_alive()
        if not tally.accepted_s:
            raise NotMeasured(f"no request was answered: {dict(tally.failures)}")
        return tally.figures() | {"clients": clients or self.sizes.clients}

    def offline_rate(self) -> Run:
        return timed(lambda: self.offline.measure(self.ours, self.scans))

    def overload(self) -> Run:
        """Saturation, and then many times as many clients, on the same process."""
        return self.with_ours("overload", self.ask_too_much)

    async def ask_too_much(self, server: Serving) -> dict[str, Any]:
        sizes, messages = self.sizes, self.scans.as_bytes(server.address)
        saturated = await self.ask_saturated(server)
        places = self.ours.queue_requests()
        queued = await self.ask_saturated(server, places)
        before, cpu_s = server.resident_bytes, server.cpu_s
        per_s = sizes.overload * saturated["accepted_per_s"]
        with ResidentPeak(server.pid) as peak:
            tally = await arrive(server.address, messages, per_s, sizes.overload_s, sizes.most_connections)
        server.check_alive()
        server_cores = share(server.cpu_s - cpu_s, tally.wall_s)
        await asyncio.sleep(sizes.rest_s)
        if not tally.accepted_s:
            raise NotMeasured(f"no request was accepted: {dict(tally.failures)}")
        return tally.figures() | {
            "per_s": per_s,
            "saturated_p99_s": saturated["p99_s"],
            "saturated": saturated,
            "places": places,
            "queued_p99_s": queued["p99_s"],
            "queued": queued,
            "server_cores": server_cores,
            "resident_before_bytes": before,
            "resident_peak_bytes": peak.bytes,
            "resident_after_bytes": server.resident_bytes,
        }

    def idle(self) -> Run:
        """One client beside thousands of idle connections."""

        async def measure(server: Serving) -> dict[str, Any]:
            return await answer_beside(
                server,
                self.scans.as_bytes(server.address),
                self.sizes.idle_connections,
                self.sizes.warm_up,
                self.sizes.idle_requests,
            )

        return self.with_ours("idle", measure)

    def swap(self) -> Run:
        """Replaces the model, again and again, under load."""

        async def measure(server: Serving) -> dict[str, Any]:
            return await swap_under_load(
                self.ours,
                server,
                self.scans.as_bytes(server.address),
                self.sizes.clients,
                self.sizes.swaps,
                self.second_model,
            )

        return self.with_ours("swap", measure)

    def with_ours(self, log: str, ask: Callable[[Serving], Awaitable[dict[str, Any]]]) -> Run:
        async def when_ready(server: Serving) -> dict[str, Any]:
            await ready_after_s(server)
            return await ask(server)

        def measure() -> dict[str, Any]:
            with self.ours.start(log) as server:
                return asyncio.run(when_ready(server))

        return timed(measure)


def timed(measure: Callable[[], dict[str, Any]]) -> Run:
    """A trial's figures, with its duration. Trials that measure memory include it."""
    began = time.perf_counter()
    figures = measure()
    return Run(time.perf_counter() - began, 0, "", "", figures)
