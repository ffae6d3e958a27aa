"""Logins over the API: the code in every form, the progress, the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.api.test_events import EventSource, port_of

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

LOGIN = "/api/v1/accounts/1/login"


async def until(client: Any, state: str) -> dict[str, Any]:
    """Wait until the login has a state."""
    login = (await client.get(LOGIN)).json()
    while login["state"] != state:
        login = (await client.get(LOGIN, params={"after": login["step"]})).json()
    return dict(login)


async def test_a_code_is_shown_scanned_and_confirmed(running: Running) -> None:
    await running.port.add_account("default")
    async with running.client("login", "read") as client:
        assert (await client.get(LOGIN)).json()["state"] == "none"
        assert (await client.get(f"{LOGIN}/qr")).status_code == 404
        begun = await client.post(LOGIN, json={"method": "qr"})
        assert (begun.status_code, begun.headers["location"]) == (202, LOGIN)
        assert (await until(client, "code"))["has_code"]
        running.world.scan("me")
        await until(client, "scanned")
        running.world.confirm()
        login = await until(client, "confirmed")
        assert (login["has_code"], login["error"]) == (False, None)
        assert (await client.get("/api/v1/accounts/1")).json()["nickname"] == "小明"


@pytest.mark.parametrize(
    ("accept", "media_type", "start"),
    [
        ("*/*", "image/png", b"\x89PNG"),
        ("image/svg+xml", "image/svg+xml", b"<svg"),
        ("text/plain;q=1", "text/plain", b"http"),
        ("text/x-ansi", "text/x-ansi", b"\x1b["),
        ("application/json", "application/json", b'{"text":"http'),
    ],
)
async def test_the_code_has_the_form_that_is_accepted(
    running: Running, accept: str, media_type: str, start: bytes
) -> None:
    await running.port.add_account("default")
    async with running.client("login") as client:
        await client.post(LOGIN)
        await until(client, "code")
        answer = await client.get(f"{LOGIN}/qr", headers={"Accept": accept})
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.content.startswith(start)
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.get(f"{LOGIN}/qr", headers={"Accept": "audio/ogg"})).status_code == 406
        assert (await client.get(f"{LOGIN}/qr?format=text&step=1")).text.startswith("http")
        assert (await client.delete(LOGIN)).status_code == 204
        assert (await client.delete(LOGIN)).status_code == 404
        assert (await client.get(LOGIN)).json()["state"] == "failed"


async def test_the_progress_is_streamed_to_its_end(running: Running) -> None:
    await running.port.add_account("default")
    key = await running.key("login")
    async with port_of(running) as address, running.client("login") as client:
        host, _, port = address.partition(":")
        await client.post(LOGIN)
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"GET {LOGIN}/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(head.encode())
        while (await reader.readline()).strip() != b": connected":
            pass
        source, steps = EventSource(reader), list[str]()
        while "confirmed" not in steps:
            steps.append((await source.next())["event"])
            if steps[-1] == "code":
                running.world.scan("me")
            elif steps[-1] == "scanned":
                running.world.confirm()
        writer.close()
        await writer.wait_closed()

    assert steps[-3:] == ["code", "scanned", "confirmed"]


async def test_a_client_that_leaves_while_a_code_is_shown_causes_no_error(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    await running.port.add_account("default")
    key = await running.key("login")
    async with port_of(running) as address, running.client("login") as client:
        host, _, port = address.partition(":")
        await client.post(LOGIN)
        await until(client, "code")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"GET {LOGIN}/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(head.encode())
        while (await reader.readline()).strip() != b"event: code":
            pass
        writer.close()
        await writer.wait_closed()

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_login_is_checked_and_ended(online: Running) -> None:
    async with online.client("login", "read") as client:
        assert (await client.post("/api/v1/accounts/1/check")).json()["state"] == "online"
        assert (await client.post("/api/v1/accounts/1/logout")).status_code == 204
        assert (await client.get("/api/v1/accounts/1")).json()["state"] == "logged_out"
        refused = await client.post("/api/v1/accounts/1/logout")
        assert (refused.status_code, refused.json()["code"]) == (424, "not-logged-in")
