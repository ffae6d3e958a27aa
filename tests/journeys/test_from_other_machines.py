"""A gateway with a certificate of its own, and behind three proxies: all that a program does with it from elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.journeys.served import NAME, PATIENCE, WAYS, Certificate, ServedGateway, User, log_in
from websockets.asyncio.client import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module", params=sorted(WAYS))
def served(
    request: pytest.FixtureRequest, new_user: Callable[[], User], certificate: Certificate
) -> Iterator[ServedGateway]:
    """The gateway of a user whose only account is called `work`, reached in one of the ways."""
    user = new_user()
    log_in(user)
    with WAYS[request.param](user, certificate) as served:
        yield served


def trusting(served: ServedGateway) -> ssl.SSLContext:
    """Return a TLS context that trusts the gateway's authority."""
    assert served.certificate is not None
    return ssl.create_default_context(cafile=str(served.certificate.authority))


def test_a_program_elsewhere_notifies_sends_a_file_and_follows_events(served: ServedGateway, tmp_path: Path) -> None:
    sent = served.curl("/api/v1/notify", "--data", "backup finished")
    assert (sent.status, sent.value["state"]) == (201, "sent"), sent

    file = tmp_path / "report.bin"
    file.write_bytes(bytes(range(256)) * 20_000)  # 5 MB: many reads and writes of the connection
    upload = served.curl("/api/v1/uploads", "--header", "Expect:", "--form", f"file=@{file}")
    assert (201, file.stat().st_size) == (upload.status, upload.value["bytes"])
    served.post("/accounts/1/messages", {"to": "filehelper", "file": {"upload_id": upload.value["upload_id"]}})
    assert served.user.shown()[-2:] == ["backup finished", "report.bin"]

    with served.event_stream("/events/stream?types=message.text") as lines:
        next(line for line in lines if not line.strip() or line.startswith(":"))  # the stream is open
        served.user.write("restart db1")
        event = next(line for line in lines if line.startswith("data: ") and "restart db1" in line)
    assert json.loads(event.removeprefix("data: "))["type"] == "message.text"


async def test_a_consumer_elsewhere_acknowledges_over_a_websocket(served: ServedGateway) -> None:
    # Not the client with threads: it reads and writes one TLS connection at the same time, which fails now and then.
    async with (
        connect(
            f"wss://{NAME}:{served.port}/api/v1/events/ws", host="127.0.0.1", ssl=trusting(served),
            additional_headers={"Authorization": f"Bearer {served.key}"},
        ) as client,
        asyncio.timeout(PATIENCE),
    ):  # fmt: skip
        hello = {"op": "hello", "consumer": "elsewhere", "accounts": ["1"], "types": ["message.text"]}
        await client.send(json.dumps(hello))
        assert json.loads(await client.recv())["op"] == "ready"
        await asyncio.to_thread(served.user.write, "over a socket")
        event = json.loads(await client.recv())["event"]
        assert event["data"]["text"] == "over a socket"
        await client.send(json.dumps({"op": "ack", "number": event["number"], "confirm": True}))
        assert json.loads(await client.recv())["op"] == "acknowledged"


def test_the_sdk_elsewhere_has_the_account_of_the_gateway(served: ServedGateway, tmp_path: Path) -> None:
    assert served.certificate is not None
    (tmp_path / "key.txt").write_text(served.key)
    code = (
        "import pathlib, sys\nfrom webwx import Client\n"
        "with Client(gateway=sys.argv[1], key=pathlib.Path(sys.argv[2]).read_text()) as client:\n"
        "    receipt = client.send_text('filehelper', 'from the SDK', key='once')\n"
        "    assert client.send_text('filehelper', 'from the SDK', key='once').message_id == receipt.message_id\n"
        "    client.recall(receipt)\n"
    )
    url = served.url.replace(NAME, "127.0.0.1")
    done = subprocess.run(
        [sys.executable, "-c", code, url, tmp_path / "key.txt"], capture_output=True, text=True, check=False,
        env=os.environ | {"SSL_CERT_FILE": str(served.certificate.authority)}, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_forged_address_does_not_evade_the_slowing_of_wrong_keys(served: ServedGateway) -> None:
    statuses = [
        served.curl(
            "/api/v1/accounts",
            "--interface",
            "127.0.0.2",
            "--header",
            f"X-Forwarded-For: 203.0.113.{number}",
            key=f"wrong-{number}",
        ).status
        for number in range(30)
    ]
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_a_trailer_of_a_request_is_no_header(served: ServedGateway) -> None:
    with (
        socket.create_connection(("127.0.0.1", served.port), PATIENCE) as connection,
        trusting(served).wrap_socket(connection, server_hostname=NAME) as secured,
    ):
        secured.sendall(
            f"POST /api/v1/notify HTTP/1.1\r\nHost: {NAME}:{served.port}\r\nConnection: close\r\n"
            "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\nContent-Type: text/plain\r\n\r\n"
            f"2\r\nhi\r\n0\r\nAuthorization: Bearer {served.key}\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: secured.recv(65_536), b""))
    assert b" 401 " in answer.partition(b"\r\n")[0], answer
