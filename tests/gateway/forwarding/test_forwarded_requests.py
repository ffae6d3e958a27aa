"""Signatures of forwarded requests: each change of a signed value, an old one, a second use and a missing one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from webwx.errors import InvalidSettings
from webwx.gateway.forwarding.forwarded_requests import (
    HEADER,
    LONGEST_AGE,
    Signatures,
    SignedRequests,
    forwarded_request,
)

SECRET = b"a secret of the whole cluster"

CALLER: dict[str, Any] = {"client": "192.0.2.7", "host": "chat.example", "scheme": "https"}

TARGET = "/api/v1/accounts/1/sends?state=queued"


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Recording:
    """An application that records the requests that it gets."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def client_of(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=("10.0.0.2", 50_000))
    return httpx.AsyncClient(transport=transport, base_url="http://10.0.0.3:8791")


async def statuses(app: Any, *requests: tuple[str, str, str]) -> list[int]:
    """Send requests, each a method, a target and a signature, and return the statuses."""
    async with client_of(app) as client:
        return [
            (await client.request(method, target, headers={HEADER: signature})).status_code
            for method, target, signature in requests
        ]


async def test_a_signed_request_is_that_of_the_caller() -> None:
    recording, signatures = Recording(), Signatures(SECRET, Clock())
    signature = signatures.sign("GET", TARGET, account=1, epoch=7, **CALLER)
    assert await statuses(SignedRequests(recording, None, signatures), ("GET", TARGET, signature)) == [204]

    [scope] = recording.scopes
    assert (scope["client"], scope["scheme"]) == (("192.0.2.7", 0), "https")
    assert [value for name, value in scope["headers"] if name == b"host"] == [b"chat.example"]
    assert HEADER.lower().encode() not in dict(scope["headers"])
    stated = forwarded_request(scope)
    assert stated is not None
    assert (stated.account, stated.epoch) == (1, 7)


async def test_a_signature_is_for_one_method_one_target_and_one_secret() -> None:
    signatures = Signatures(SECRET, Clock())
    app = SignedRequests(Recording(), None, signatures)
    good = signatures.sign("GET", TARGET, account=1, epoch=7, **CALLER)
    other = Signatures(b"another secret of a cluster", Clock()).sign("GET", TARGET, account=1, epoch=7, **CALLER)
    stated, _, proof = good.partition(".")
    later = signatures.sign("GET", TARGET, account=1, epoch=8).partition(".")[0]
    refused = [
        ("POST", TARGET, good), ("GET", TARGET + "&limit=1", good), ("GET", "/api/v1/accounts/2/sends", good),
        ("GET", TARGET, other), ("GET", TARGET, f"{later}.{proof}"), ("GET", TARGET, stated), ("GET", TARGET, ""),
        ("GET", TARGET, f"{stated}.?"), ("GET", TARGET, f"{stated}.{proof[:-4]}"),
    ]  # fmt: skip
    assert await statuses(app, *refused) == [403] * len(refused)
    assert await statuses(app, ("GET", TARGET, good)) == [204]


async def test_a_signature_is_valid_once() -> None:
    clock = Clock()
    signatures = Signatures(SECRET, clock)
    app = SignedRequests(Recording(), None, signatures)
    one, two = (signatures.sign("GET", TARGET, account=1, epoch=7, **CALLER) for _ in range(2))
    assert await statuses(app, ("GET", TARGET, one), ("GET", TARGET, one), ("GET", TARGET, two)) == [204, 403, 204]
    clock.now += LONGEST_AGE
    assert await statuses(app, ("GET", TARGET, two)) == [403]


@pytest.mark.parametrize("difference", [LONGEST_AGE, -LONGEST_AGE])
async def test_a_signature_is_valid_for_a_limited_time_before_and_after(difference: float) -> None:
    here, there = Clock(), Clock()
    signatures = Signatures(SECRET, here)
    app = SignedRequests(Recording(), None, signatures)
    there.now += difference
    good = Signatures(SECRET, there).sign("GET", TARGET, account=1, epoch=7)
    there.now += difference / LONGEST_AGE
    late = Signatures(SECRET, there).sign("GET", TARGET, account=1, epoch=7)
    assert await statuses(app, ("GET", TARGET, good), ("GET", TARGET, late)) == [204, 403]


async def test_a_request_without_a_signature_is_a_clients_or_refused() -> None:
    signed, unsigned, signatures = Recording(), Recording(), Signatures(SECRET, Clock())
    for app, status in (
        (SignedRequests(signed, unsigned, signatures), 204),
        (SignedRequests(signed, None, signatures), 403),
    ):
        async with client_of(app) as client:
            answer = await client.get("/healthz")
            assert answer.status_code == status
    assert answer.json()["code"] == "bad-signature"
    assert (len(signed.scopes), len(unsigned.scopes)) == (0, 1)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(InvalidSettings):
        Signatures(b"short")
