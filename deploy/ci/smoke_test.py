#!/usr/bin/env python3
"""Tries a deployed server with a real scan.

    deploy/ci/smoke_test.py https://hounsfield.staging.example.org scan.png --class normal

The server has to answer within --ready-seconds; then the scan gets a prediction whose parts fit each other, again and
again the same, and fast enough. The key is in HOUNSFIELD_KEY, and with one the server has to refuse who has none.
Exit codes: 0 all is well, 1 something is not, 2 bad usage. Research use only. Not a medical device.
"""

import argparse
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

BETWEEN_TRIES_SECONDS = 0.5
REPEATS = 5
# Requests that arrive together share a batch, which moves the last digits.
SAME_WITHIN = 1e-4


class Failed(Exception):
    """What is wrong with the server."""


class Server:
    """A server, and the key it is asked with."""

    def __init__(self, url: str, key: str | None, timeout_seconds: float) -> None:
        self.url = url.rstrip("/")
        self.key = key
        self.timeout_seconds = timeout_seconds

    def ask(self, path: str, body: bytes | None = None, *, with_key: bool = True) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        request = urllib.request.Request(self.url + path, body)
        if body is not None:
            request.add_header("Content-Type", "application/octet-stream")
        if self.key and with_key:
            request.add_header("Authorization", f"Bearer {self.key}")
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, message_of(refusal.read())

    def predict(self, scan: bytes) -> dict[str, Any]:
        """The prediction for a scan."""
        status, answer = self.ask("/v1/predict", scan)
        if status != 200:
            raise Failed(f"POST /v1/predict answered {status}: {answer}")
        try:
            prediction: dict[str, Any] = answer["predictions"][0]["prediction"]
        except (LookupError, TypeError) as error:
            raise Failed(f"POST /v1/predict answered without a prediction: {answer}") from error
        return prediction


def message_of(body: bytes) -> Any:
    """The message of a refusal, or the start of what came instead."""
    try:
        return json.loads(body)["error"]["message"]
    except (ValueError, LookupError, TypeError):
        return body[:200].decode(errors="replace")


def wait_until_it_answers(server: Server, version: str | None, seconds: float) -> dict[str, Any]:
    """What the server says of its model, once it answers and serves this version."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            status, answer = server.ask("/v1/model")
            if status == 200:
                model: dict[str, Any] = answer
                if version is None or model.get("version") == version:
                    return model
                found = f"shows version {model.get('version')} instead of {version}"
            else:
                found = f"answered {status}: {answer}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            found = f"failed: {error}"
        if is_final(found) or time.monotonic() >= deadline:
            raise Failed(f"GET /v1/model {found}")
        time.sleep(BETWEEN_TRIES_SECONDS)


def is_final(found: str) -> bool:
    """Whether waiting cannot help: the key is wrong, or there is another program."""
    return found.startswith(("answered 401", "answered 403", "answered 404"))


def check_prediction(prediction: dict[str, Any], model: dict[str, Any], expected: str | None) -> None:
    """Whether the parts of a prediction fit each other and the model."""
    shares = {share["class"]: share["probability"] for share in prediction["probabilities"]}
    if sorted(shares) != sorted(model["classes"]):
        raise Failed(f"the prediction has the classes {sorted(shares)}, and the model {sorted(model['classes'])}")
    if abs(sum(shares.values()) - 1) > SAME_WITHIN:
        raise Failed(f"the probabilities add up to {sum(shares.values())}")
    if shares[prediction["class"]] != max(shares.values()):
        raise Failed(f"the class is {prediction['class']}, which is not the most probable of {shares}")
    if prediction["model"]["digest"] != model["digest"]:
        raise Failed(f"the model {prediction['model']['digest']} answered, and {model['digest']} is served")
    if "not a medical device" not in prediction["notice"].lower():
        raise Failed(f"the notice is {prediction['notice']!r}")
    if expected is not None and prediction["class"] != expected:
        raise Failed(f"the scan is {expected}, and the prediction is {prediction['class']} with {shares}")


def check_repeats(server: Server, scan: bytes, first: dict[str, Any], slowest_seconds: float) -> float:
    """The slowest of several answers, all of which have to be the same."""
    slowest = 0.0
    for _ in range(REPEATS):
        begun = time.monotonic()
        again = server.predict(scan)
        slowest = max(slowest, time.monotonic() - begun)
        if again["class"] != first["class"] or abs(again["confidence"] - first["confidence"]) > SAME_WITHIN:
            raise Failed(
                f"the same scan is {first['class']} with {first['confidence']}, "
                f"and then {again['class']} with {again['confidence']}"
            )
    if slowest > slowest_seconds:
        raise Failed(f"an answer took {slowest:.2f} s, more than {slowest_seconds} s")
    return slowest


def smoke_test(arguments: argparse.Namespace, scan: bytes) -> str:
    """Everything; what was found, in a sentence."""
    server = Server(arguments.url, os.environ.get("HOUNSFIELD_KEY") or None, arguments.timeout_seconds)
    model = wait_until_it_answers(server, arguments.version, arguments.ready_seconds)
    if server.key:
        status, _ = server.ask("/v1/predict", scan, with_key=False)
        if status != 401:
            raise Failed(f"a request without a key got {status} instead of 401")
    prediction = server.predict(scan)
    check_prediction(prediction, model, arguments.expected_class)
    slowest = check_repeats(server, scan, prediction, arguments.slowest_seconds)
    return (
        f"{model['name']} version {model.get('version') or 'without a number'}: {prediction['class']} with "
        f"{prediction['confidence']:.3f}, slowest answer {slowest:.2f} s"
    )


def arguments_of(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("url", help="the server, https://…")
    parser.add_argument("scan", type=Path, help="an image of the kind that the model knows")
    parser.add_argument("--class", dest="expected_class", metavar="NAME", help="the class it must get")
    parser.add_argument("--version", help="the version of the registered model that must be served")
    parser.add_argument(
        "--ready-seconds", type=float, default=120, help="until it has to answer, with this version: %(default)s"
    )
    parser.add_argument("--slowest-seconds", type=float, default=5, help="of one answer: %(default)s")
    parser.add_argument("--timeout-seconds", type=float, default=30, help="of one request: %(default)s")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    arguments = arguments_of(words)
    try:
        scan = arguments.scan.read_bytes()
    except OSError as error:
        print(f"smoke_test: the scan cannot be read: {error}", file=sys.stderr)
        return 2
    try:
        print(f"smoke_test: {arguments.url} is well: {smoke_test(arguments, scan)}")
    except (Failed, OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        print(f"smoke_test: {arguments.url} failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
