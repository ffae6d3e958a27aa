"""Programs that use gateways of several machines: one that receives webhooks, and one that reads a consumer."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.cli.conftest import PATIENCE
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.gateways import RunningGateway


class WebhookCall(NamedTuple):
    """A request that a program has received."""

    text: str
    chat: str
    attempt: int
    time: float
    """Seconds of the monotonic clock."""


class WebhookProgram:
    """A program that receives webhooks, and asks the sender to wait while it is busy."""

    def __init__(self) -> None:
        self.calls: list[WebhookCall] = []
        self.busy_text = ""
        """The text for which it is busy."""
        self.busy_seconds = 0
        """Seconds for which a sender has to wait."""
        self.url = ""

    def texts(self, chat_of: str = "") -> list[str]:
        """Return the texts that have arrived; with a text, only those of its chat."""
        chats = {call.chat for call in self.calls if call.text == chat_of or not chat_of}
        return [call.text for call in self.calls if call.chat in chats]

    def accept(self, body: bytes, attempt: int) -> int:
        """Note a request, and return the seconds after which it has to be repeated."""
        event = json.loads(body)
        text = event["data"]["text"]
        self.calls.append(WebhookCall(text, event["chat"], attempt, time.monotonic()))
        return self.busy_seconds if text == self.busy_text else 0


@contextmanager
def webhook_program() -> Iterator[WebhookProgram]:
    """Serve on a free port of this machine."""
    program = WebhookProgram()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seconds = program.accept(body, int(self.headers["webwx-attempt"]))
            self.send_response(503 if seconds else 204)
            if seconds:
                self.send_header("Retry-After", f"{seconds}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        program.url = f"http://127.0.0.1:{server.server_port}/in"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield program
        finally:
            server.shutdown()
            serving.join()


class ConsumerProgram:
    """A program that reads a consumer of 小明's account over the WebSocket of a gateway."""

    def __init__(self, node: RunningGateway, name: str) -> None:
        """Connect, again until the consumer is open."""
        deadline = time.monotonic() + PATIENCE
        hello = {"op": "hello", "consumer": name, "accounts": ["one"], "types": ["message.text"]}
        while True:
            self._socket = connect(
                f"{node.url.replace('http', 'ws')}/api/v1/events/ws",
                additional_headers={"Authorization": f"Bearer {node.key}"},
            )
            self._socket.send(json.dumps(hello))
            try:
                if self._receive()["op"] == "ready":
                    return
            except ConnectionClosed:
                pass
            self._socket.close()
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def __enter__(self) -> ConsumerProgram:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def next_text(self) -> tuple[str, bool, int]:
        """Return the next text, whether it is redelivered, and the number of its event."""
        event = self._receive()["event"]
        return event["data"]["text"], event["redelivered"], event["number"]

    def acknowledge(self, number: int) -> None:
        """Acknowledge an event, and wait until this is stored."""
        self._socket.send(json.dumps({"op": "ack", "number": number, "confirm": True}))
        assert self._receive()["op"] == "acknowledged"

    def until_closed(self) -> int | None:
        """Wait until the connection is closed, and return the gateway's code; 1006 if it was cut off."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self._receive()
        return self._socket.close_code

    def _receive(self) -> Any:
        return json.loads(self._socket.recv(timeout=PATIENCE))
