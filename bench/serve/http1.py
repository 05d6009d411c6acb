"""One HTTP/1.1 connection, kept alive, with as little work as possible between clock and socket."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

# No wait here is longer; the server's own deadline is shorter.
TIMEOUT_S = 60.0


class Lost(Exception):
    """A request without a complete answer, with the reason."""


@dataclass(frozen=True)
class Address:
    """The address of a server."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Address":
        host, _, port = url.strip().removeprefix("http://").rpartition(":")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """A complete answer, and the time from before the request was written."""

    status: int
    body: bytes
    latency_s: float

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    address: Address, method: str, path: str, body: bytes = b"", content_type: str = "application/octet-stream"
) -> bytes:
    """The bytes of a request, built before any clock runs."""
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """Sends one request after the other. If the server closed it, the next request opens it again."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        # Time of its last use, by the monotonic clock.
        self.used_s = time.monotonic()

    @property
    def is_open(self) -> bool:
        return (
            self._reader is not None
            and self._writer is not None
            and not self._reader.at_eof()
            and not self._writer.is_closing()
        )

    async def open(self) -> None:
        """Connects, unless it is connected."""
        if self.is_open:
            return
        self.close()
        try:
            self._reader, self._writer = await asyncio.wait_for(
                asyncio.open_connection(self._address.host, self._address.port), TIMEOUT_S
            )
        except (OSError, asyncio.TimeoutError) as error:
            raise Lost(f"connect: {type(error).__name__}") from None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def ask(self, message: bytes) -> Answer:
        """Writes a request and reads the complete answer; raises Lost if there is none."""
        await self.open()
        try:
            return await asyncio.wait_for(self._exchange(message), TIMEOUT_S)
        except asyncio.TimeoutError:
            self.close()
            raise Lost(f"no answer in {TIMEOUT_S:.0f} s") from None
        except asyncio.IncompleteReadError as error:
            self.close()
            raise Lost("closed within the answer" if error.partial else "closed before the answer") from None
        except OSError as error:
            self.close()
            raise Lost(type(error).__name__) from None
        except ValueError as error:
            self.close()
            raise Lost(f"not an HTTP answer: {error}") from None
        finally:
            self.used_s = time.monotonic()

    async def _exchange(self, message: bytes) -> Answer:
        reader, writer = self._reader, self._writer
        assert reader is not None, "open() came before"
        assert writer is not None, "open() came before"
        began = time.perf_counter()
        writer.write(message)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status, length, stays_open = parse_head(head)
        body = await reader.readexactly(length)
        latency_s = time.perf_counter() - began
        if not stays_open:
            self.close()
        return Answer(status, body, latency_s)


def parse_head(head: bytes) -> tuple[int, int, bool]:
    """From a head in lower case: the status, the length of the body, and whether the connection stays open."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("http/1."):
        raise ValueError(f"it begins with {first[:40]!r}")
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "content-length" not in fields:
        raise ValueError("it tells no content-length")
    connection = fields.get("connection", "keep-alive" if version == "http/1.1" else "close")
    return int(rest[:3]), int(fields["content-length"]), connection != "close"
