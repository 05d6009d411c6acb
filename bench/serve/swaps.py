"""Replaces the served model again and again, while clients send requests."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import NotMeasured
from serve.figures import percentile
from serve.http1 import TIMEOUT_S, Address, Answer, Connection, Lost, request
from serve.load import Tally, clients
from serve.ours import Ours
from serve.process import Serving

Probabilities = list[float]
# Models whose answers for an image differ by less than this cannot be distinguished by it: another batch size changes
# the last digits of an answer.
TELL_APART = 0.01


def prediction_of(answer: Answer) -> tuple[str, Probabilities]:
    """The digest of the model that answered, and the probabilities in class order."""
    prediction = answer.json()["predictions"][0]["prediction"]
    return prediction["model"]["digest"], [each["probability"] for each in prediction["probabilities"]]


def distance(one: Probabilities, other: Probabilities) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


@dataclass
class Judge:
    """Compares every answer with the answer that the named model gives alone."""

    # For each model, by digest, the probabilities of each image.
    alone: dict[str, list[Probabilities]] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    # Answers for images on which the models differ; only these can show a mix-up.
    told_apart: int = 0
    mixed: int = 0

    def judge(self, image: int, digest: str, probabilities: Probabilities) -> None:
        self.answers[digest] = self.answers.get(digest, 0) + 1
        if digest not in self.alone:
            self.mixed += 1
            return
        own = self.alone[digest][image]
        others = [
            model[image]
            for name, model in self.alone.items()
            if name != digest and distance(model[image], own) > TELL_APART
        ]
        if others:
            self.told_apart += 1
            nearest = min(distance(probabilities, other) for other in others)
            self.mixed += nearest < distance(probabilities, own)

    def seen(self, image: int, answer: Answer) -> None:
        if answer.status == 200:
            self.judge(image, *prediction_of(answer))


async def learn(address: Address, messages: Sequence[bytes], judge: Judge) -> str:
    """Requests predictions of every image from the present model; returns its digest."""
    connection = Connection(address)
    digests = set()
    said = []
    try:
        for message in messages:
            digest, probabilities = prediction_of(await connection.ask(message))
            digests.add(digest)
            said.append(probabilities)
    finally:
        connection.close()
    if len(digests) != 1:
        raise NotMeasured(f"{len(digests)} models answered while one was served")
    digest = digests.pop()
    judge.alone[digest] = said
    return digest


async def reload(address: Address) -> float:
    """Makes the server load the model folder again; returns the seconds that took."""
    connection = Connection(address)
    began = time.perf_counter()
    try:
        answer = await connection.ask(request(address, "POST", "/v1/model/reload"))
    except Lost as lost:
        raise NotMeasured(f"the reload was not answered: {lost}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise NotMeasured(f"the reload was refused: {answer.status} {answer.body[:200]!r}")
    return time.perf_counter() - began


async def more_answers(judge: Judge, count: int) -> None:
    """Waits until the given number of further answers was judged, so that every model answers between two swaps."""
    enough = sum(judge.answers.values()) + count
    until_s = time.monotonic() + TIMEOUT_S
    while sum(judge.answers.values()) < enough:
        if time.monotonic() > until_s:
            raise NotMeasured(f"after a swap, {count} answers took more than {TIMEOUT_S:.0f} s")
        await asyncio.sleep(0.01)


async def swap_under_load(
    ours: Ours, server: Serving, messages: Sequence[bytes], number_of_clients: int, swaps: int, second: Path | None
) -> dict[str, Any]:
    """A number of swaps under the load of a number of clients; between two models if there is a second."""
    judge, address = Judge(), server.address
    models = [ours.model]
    await learn(address, messages, judge)
    if second is not None:
        models.append(second)
        ours.serve_from(second)
        await reload(address)
        await learn(address, messages, judge)
        if len(judge.alone) != 2:
            raise NotMeasured(f"{second} holds the weights that are served already")
    stop = asyncio.Event()
    load = asyncio.create_task(clients(address, messages, number_of_clients, stop, judge.seen))
    took_s: list[float] = []
    try:
        for at in range(swaps):
            # With two models, the first swap returns to the first.
            ours.serve_from(models[at % len(models)])
            took_s.append(await reload(address))
            await more_answers(judge, number_of_clients)
    finally:
        stop.set()
        tally: Tally = await load
    lost = tally.failures.total() + len(tally.refused_s)
    return tally.figures() | {
        "swaps": swaps,
        "lost": lost,
        "models": len(models),
        "answers_by_digest": judge.answers,
        "mixed": judge.mixed,
        "told_apart": judge.told_apart,
        "swap_p50_s": percentile(took_s, 50),
        "swap_longest_s": max(took_s),
    }
