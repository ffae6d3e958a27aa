"""Gateways as processes that share a database, and requests to them."""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from tests.cli.conftest import PATIENCE
from tests.cluster.conftest import LEASE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Started
    from tests.cluster.conftest import Deployment


class Answer:
    """An answer of a gateway."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.body[:200]!r})"

    @property
    def value(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class RunningGateway:
    """A running `webwx serve` that shares a database with others."""

    def __init__(self, process: Started, key: str, worker: str, folder: Path) -> None:
        self.process = process
        self.pid = process.pid
        self.folder = folder
        assert process.stdout is not None
        self.url: str = json.loads(process.stdout.readline())["url"]
        self.key = key
        self.id = worker

    def call(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> Answer:
        """Send a request below `/api/v1`; a body is JSON or bytes."""
        return self.send(method, f"/api/v1{path}", body, key=key, **headers)

    def send(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> Answer:
        """Send a request; a body is JSON or bytes."""
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        sent = {"Authorization": f"Bearer {key or self.key}", "Content-Type": kind}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", content, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as refused:
            with closing(refused):
                return Answer(refused.code, refused.read())

    def get(self, path: str) -> Any:
        """Return the answer to a request that has to succeed."""
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.value

    def states(self) -> dict[str, str]:
        """Return the state of each account by its name."""
        return {account["name"]: account["state"] for account in self.get("/accounts")["accounts"]}

    def number(self, name: str) -> int:
        """Return the number of an account."""
        return int(next(each["number"] for each in self.get("/accounts")["accounts"] if each["name"] == name))

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


def new_key(deployment: Deployment, scopes: str = "admin") -> str:
    """Return a new key, which all gateways accept."""
    made = deployment.webwx("serve", "key", "create", "--name", "test", "--scopes", scopes, "--json")
    return str(made.line["key"])


def ids_at(deployment: Deployment, address: str) -> list[str]:
    """Return the id of the worker with an address; none before it has joined."""
    return [line["worker"] for line in deployment.workers() if line["address"] == address]


@contextmanager
def gateway(deployment: Deployment, name: str, *options: str, key: str = "") -> Iterator[RunningGateway]:
    """Start a gateway with a folder of its own, as on another machine; at the end of the block it is killed."""
    folder = deployment.bot.parent / name
    arguments = ["serve", "--port", "0", "--json", "--lease", str(LEASE), "--heartbeat", str(LEASE / 3), *options]
    with deployment.shell.start_process(*arguments, PYTHONFAULTHANDLER="1", WEBWX_HOME=str(folder)) as process:
        try:
            key = key or new_key(deployment)
            opened = RunningGateway(process, key, "", folder)
            wait_until(lambda: bool(ids_at(deployment, opened.url)))
            (opened.id,) = ids_at(deployment, opened.url)
            yield opened
        finally:
            with contextlib.suppress(ProcessLookupError):  # a test has killed it
                process.kill()
            _, errors = process.communicate(timeout=PATIENCE)
            deployment.record("the stderr of a gateway", errors)


@contextmanager
def two_gateways(deployment: Deployment, *options: str) -> Iterator[tuple[RunningGateway, RunningGateway]]:
    """Start two gateways, and return the owner of 小明's account first."""
    with gateway(deployment, "a", *options) as one, gateway(deployment, "b", *options, key=one.key) as other:
        wait_until(lambda: (deployment.owned_by(one), deployment.owned_by(other)) == (1, 1))
        wait_until(lambda: are_online(one) and are_online(other))
        owner, _ = deployment.owners[deployment.account("one")]
        yield (one, other) if owner == one.id else (other, one)


def are_online(node: RunningGateway) -> bool:
    """Return whether a gateway shows both accounts as online."""
    return node.states() == {"one": "online", "two": "online"}


class EventStream:
    """A client that follows the events of a gateway (SSE)."""

    def __init__(self, node: RunningGateway, query: str, *, last_id: str = "") -> None:
        headers = {"Authorization": f"Bearer {node.key}", "Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        request = urllib.request.Request(f"{node.url}/api/v1/events/stream?{query}", headers=headers)
        self._answer = urllib.request.urlopen(request, timeout=PATIENCE)
        self.last_id = last_id
        self.texts: list[str] = []
        """The texts of the events that have arrived."""

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *error: object) -> None:
        self._answer.close()

    def until(self, text: str) -> None:
        """Read until the event with a text has arrived."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.texts:
            assert time.monotonic() < deadline, self.texts
            name, _, value = self._answer.readline().decode().rstrip("\n").partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "data" and (event := json.loads(value)).get("type") == "message.text":
                self.texts.append(event["data"]["text"])
