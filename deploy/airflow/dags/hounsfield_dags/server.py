"""The prediction server, over its HTTP API."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 60
PAGE_ROWS = 1000
# A server that is busy says when to come back.
BUSY = (429, 503)
ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 60


class ServerFailed(Exception):
    """The server cannot be reached, refuses, or answers something else than expected."""

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Judgement:
    """What a person said last about one prediction."""

    prediction_id: str
    image_sha256: str
    is_image_kept: bool
    class_name: str
    is_right: bool
    created_at: str

    @property
    def order(self) -> tuple[str, str, str]:
        """Sorts by time. The times are RFC 3339 in UTC, with as many decimals as are needed."""
        return self.created_at.rstrip("Z").partition(".")


class Server:
    """A server that may be on another machine. The key needs the role `review`, and `admin` to report trainings."""

    def __init__(self, address: str, key: str | None = None):
        self.address = address.rstrip("/")
        if key and not key.isascii():
            raise ServerFailed(
                f"the key for {self.address} has characters that no key has; give it as serve key printed it"
            )
        self.key = key

    @classmethod
    def of_connection(cls, connection: Any) -> Server:
        """From a connection of Airflow: the address as its host, the key as its password."""
        address = connection.host or ""
        if "://" not in address:
            address = f"{connection.schema or 'http'}://{address}"
        if connection.port:
            address = f"{address.rstrip('/')}:{connection.port}"
        return cls(address, connection.password or None)

    def judgements(self) -> Iterator[Judgement]:
        """The last judgement of every prediction that has one."""
        cursor = None
        while True:
            query = {"feedback": "any", "limit": str(PAGE_ROWS)} | ({"cursor": cursor} if cursor else {})
            page = self._json(f"/v1/predictions?{urllib.parse.urlencode(query)}")
            for row in page["predictions"]:
                said = row["feedback"]
                yield Judgement(
                    prediction_id=row["id"],
                    image_sha256=row["image_sha256"],
                    is_image_kept=row["image_url"] is not None,
                    class_name=said["class"],
                    is_right=said["right"],
                    created_at=said["created_at"],
                )
            cursor = page["next"]
            if cursor is None:
                return

    def image(self, prediction_id: str) -> tuple[bytes, str]:
        """The kept image of a prediction, and its media type."""
        return self._request(f"/v1/predictions/{urllib.parse.quote(prediction_id, safe='')}/image")

    def report_training(self, started_at: str, outcome: str, reason: str, weights: str) -> None:
        """Has it record a training: corrections up to `started_at` no longer wait there. Needs the role `admin`."""
        body = {"started_at": started_at, "outcome": outcome, "reason": reason, "model_after": weights}
        self._request("/v1/trainings", json.dumps(body).encode())

    def retrain_after(self) -> int:
        """`serve.retrain_after` of its configuration: above so many corrections a training is due."""
        return int(self._json("/v1/feedback/summary")["since_training"]["threshold"])

    def served_weights(self) -> str:
        """SHA-256 of the weights that answer."""
        return str(self._json("/v1/model")["digest"])

    def wait_until_it_serves(self, weights: str, within_seconds: float, poll_seconds: float = 2) -> None:
        """Returns when the model with these weights answers.

        # Raises
        ServerFailed when another one still answers after `within_seconds`.
        """
        deadline = time.monotonic() + within_seconds
        while (served := self.served_weights()) != weights:
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"{self.address} still serves the weights {served} after {within_seconds:.0f} seconds, and not the "
                    f"champion's, {weights}; does its config.yaml have serve.follow, and is its MLflow server the same?"
                )
            time.sleep(poll_seconds)

    def _json(self, path: str) -> Any:
        body, _ = self._request(path)
        try:
            return json.loads(body)
        except ValueError as error:
            raise ServerFailed(f"{self.address}{path} answered something else than JSON: {error}") from error

    def _request(self, path: str, body: bytes | None = None) -> tuple[bytes, str]:
        """GET, or POST with a body of JSON."""
        headers = {"Content-Type": "application/json"} if body else {}
        request = urllib.request.Request(f"{self.address}{path}", body, headers)
        if self.key:
            request.add_header("Authorization", f"Bearer {self.key}")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                    return answer.read(), answer.headers.get_content_type()
            except urllib.error.HTTPError as error:
                if error.code not in BUSY or attempt == ATTEMPTS:
                    message = f"{self.address}{path} answered {error.code}: {_reason(error)}"
                    raise ServerFailed(message, error.code) from error
                time.sleep(_wait_seconds(error))
            except (OSError, http.client.HTTPException) as error:
                raise ServerFailed(f"{self.address}{path} cannot be reached: {error}") from error
        raise AssertionError("the last attempt returns or raises")


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)


def _wait_seconds(error: urllib.error.HTTPError) -> float:
    try:
        return min(float(error.headers["Retry-After"]), LONGEST_WAIT_SECONDS)
    except (TypeError, ValueError):
        return 1
