"""TLS: no request to a server with an invalid certificate; otherwise the same as without TLS."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from tests.transport.lines import Caller, answer, serving

from webwx.errors import ConnectFailed, TlsError, TransportError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transport.conformance.conftest import Make

    from webwx.transport.runner import Transport

PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def certified(issuer: trustme.CA, name: str = "127.0.0.1", **expiry: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert(name, **expiry).configure_cert(context)
    return context


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return certified(authority)


@pytest.fixture
def trusting(make: Make, ca_file: Path) -> Transport:
    return make(ca_file=ca_file)


async def test_a_body_is_complete_and_the_connection_is_reused(trusting: Transport, tls: ssl.SSLContext) -> None:
    body = bytes(range(256)) * 4096
    async with serving(answer(body), tls) as server:
        for _ in range(3):
            response = await trusting.send(server.request("POST", body=(b"head", body, b"tail"), tls=True))
            assert response.body == body

    assert server.callers == 1
    assert server.received[0].endswith(b"\r\n\r\nhead" + body + b"tail")


async def test_concurrent_requests_get_their_own_answers(trusting: Transport, tls: ssl.SSLContext) -> None:
    async def echo(caller: Caller) -> None:
        while True:
            received = await caller.receive()
            await caller.say(answer(received.partition(b"\r\n\r\n")[2]))

    bodies = [b"%d" % number * 10_000 for number in range(16)]
    async with serving(echo, tls) as server:
        requests = [server.request("POST", body=body, tls=True) for body in bodies]
        answers = await asyncio.gather(*map(trusting.send, requests))

    assert [each.body for each in answers] == bodies


@pytest.mark.parametrize(
    ("how", "reason"),
    [("self-signed", "unable to get local issuer"), ("wrong host", "IP address mismatch"), ("expired", "expired")],
)
async def test_nothing_is_sent_to_a_server_with_an_invalid_certificate(
    trusting: Transport, authority: trustme.CA, how: str, reason: str
) -> None:
    async def listen(caller: Caller) -> None:
        server.received.append(await caller.reader.read())

    issuer = trustme.CA() if how == "self-signed" else authority
    expiry = {"not_before": PAST, "not_after": PAST + datetime.timedelta(days=1)} if how == "expired" else {}
    context = certified(issuer, "wx8.qq.com" if how == "wrong host" else "127.0.0.1", **expiry)
    async with serving(listen, context) as server:
        with pytest.raises(TlsError) as caught:
            await trusting.send(server.request("POST", "/?skey=secret", b"secret", tls=True))
        await server.until_gone(server.callers)

    sentence = str(caught.value)
    assert sentence.startswith(f"webwxsync: 127.0.0.1:{server.port} has a certificate that is not valid (")
    assert reason in sentence
    assert sentence.endswith("); nothing was sent.")
    assert b"secret" not in b"".join(server.received)


async def test_nothing_is_sent_to_a_server_without_tls(trusting: Transport) -> None:
    async def speak_plainly(caller: Caller) -> None:
        server.received.append(await caller.reader.read(65536))
        await caller.say(answer(status="400 Bad Request"))
        await caller.receive_end()

    async with serving(speak_plainly) as server:
        with pytest.raises(
            TlsError, match=r"webwxsync: 127\.0\.0\.1:\d+ has a certificate that is not valid; nothing was sent"
        ):
            await trusting.send(server.request("POST", body=b"secret", tls=True))

    assert b"secret" not in server.received[0]


async def test_nothing_is_sent_to_a_server_that_closes_in_the_handshake(trusting: Transport) -> None:
    async def hang_up(caller: Caller) -> None:
        await caller.reader.read(1)

    async with serving(hang_up) as server:
        with pytest.raises(ConnectFailed, match=r"webwxsync: no connection to 127\.0\.0\.1:\d+; nothing was sent"):
            await trusting.send(server.request("POST", body=b"secret", tls=True))


async def test_a_server_that_closes_after_the_request_leaves_an_unknown_outcome(
    trusting: Transport, tls: ssl.SSLContext
) -> None:
    async def hang_up(caller: Caller) -> None:
        await caller.receive()

    async with serving(hang_up, tls) as server:
        with pytest.raises(TransportError, match="webwxsync: the connection broke before the answer was complete"):
            await trusting.send(server.request("POST", body=b"x", tls=True))


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "no certificates"])
async def test_an_invalid_certificate_file_is_named_in_the_error(
    make: Make, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    async with serving(answer()) as server:
        with pytest.raises(TlsError, match="the file of certificates to trust cannot be read; nothing was sent"):
            await make(ca_file=file).send(server.request(tls=True))
