"""The entries of the audit log, each with its key."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from litestar.routes import HTTPRoute

from webwx.gateway.access.auth import CONSOLE
from webwx.gateway.access.sessions import HEADER
from webwx.gateway.api import audit_log
from webwx.gateway.api.audit_log import DELAY, MOST_UNWRITTEN, AuditLog, action_of
from webwx.storage.sqlite.private import PrivateRecordStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx
    from tests.gateway.conftest import Running, StartGateway

    from webwx.storage.tables.records import AuditEntry, NewAuditEntry

ACCOUNT = "/api/v1/accounts/default"

HOOK = {"name": "n8n", "url": "https://example.org/", "types": ["message.*"]}

CHANGES: list[tuple[str, str, Any, str, str]] = [
    ("POST", "/api/v1/accounts", {"name": "second"}, "account.add", "2"),
    ("POST", "/api/v1/accounts/second/login", None, "login.begin", "2"),
    ("DELETE", "/api/v1/accounts/2/login", None, "login.stop", "2"),
    ("DELETE", "/api/v1/accounts/second", None, "account.remove", "2"),
    ("POST", f"{ACCOUNT}/check", None, "login.check", "1"),
    ("POST", "/api/v1/notify", {"text": "a private text"}, "notify", ""),
    ("POST", f"{ACCOUNT}/messages", {"to": "filehelper", "text": "a private text"}, "message.send", "1"),
    ("PATCH", f"{ACCOUNT}/contacts/filehelper", {"pinned": True}, "contact.change", "1/filehelper"),
    ("POST", f"{ACCOUNT}/logout", None, "login.end", "1"),
]
"""Successful changes that are independent of each other, each with its action and target."""


async def entries_of(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return the entries, the oldest first."""
    return list(reversed((await client.get("/api/v1/audit")).json()["entries"]))


async def test_each_change_is_one_entry_with_its_key_and_without_a_text(online: Running) -> None:
    key = await online.key("admin")
    async with online.anonymous(headers={"Authorization": f"Bearer {key}"}) as client:
        for method, path, body, _, _ in CHANGES:
            answer = await client.request(method, path, json=body)
            assert answer.status_code < 300, (method, path, answer.text)
        entries = await entries_of(client)

    assert [(entry["action"], entry["target"]) for entry in entries] == [change[3:] for change in CHANGES]
    assert {entry["actor"] for entry in entries} == {key.split("_")[1]}
    assert "a private text" not in str(entries)


async def test_an_entry_names_a_created_object_by_its_id(running: Running) -> None:
    async with running.client("admin") as client:
        created = (await client.post("/api/v1/keys", json={"name": "a", "scopes": ["read", "send"]})).json()
        hook = (await client.post("/api/v1/webhooks", json=HOOK)).json()
        await client.post(f"/api/v1/keys/{created['about']['id']}/rotate")
        entries = await entries_of(client)

    key_id = created["about"]["id"]
    assert [(entry["action"], entry["target"], entry["detail"]) for entry in entries] == [
        ("key.create", key_id, "read send"), ("webhook.create", hook["webhook"]["id"], ""), ("key.rotate", key_id, ""),
    ]  # fmt: skip
    assert created["key"] not in str(entries)
    assert hook["secret"] not in str(entries)


async def test_reads_and_failed_changes_make_no_entries(online: Running) -> None:
    async with online.client("admin") as client:
        await client.get("/api/v1/accounts")
        await client.post("/api/v1/keys", json={"name": "a", "scopes": ["all"]})
        await client.delete("/api/v1/keys/absent")
        await client.post("/absent")
        assert await entries_of(client) == []


async def test_the_sessions_of_the_console_are_entries(running: Running) -> None:
    code = await running.gateway.sessions.create_code()
    async with running.anonymous() as browser, running.client("admin") as client:
        opened = await browser.post("/api/v1/console/session", json={"code": code})
        headers = {HEADER: opened.json()["secret"]}
        await browser.post("/api/v1/accounts", json={"name": "second"}, headers=headers)
        await browser.delete("/api/v1/console/session", headers=headers)
        entries = await entries_of(client)

    assert [entry["action"] for entry in entries] == ["session.open", "account.add", "session.end"]
    assert {entry["actor"] for entry in entries} == {CONSOLE}
    assert code not in str(entries)


# -- sends -------------------------------------------------------------------------------------------------------------


def handler_of(running: Running, path: str) -> Any:
    """Return the handler of POST requests to a path."""
    [handler] = [
        handler
        for route in running.gateway.routes.routes
        if isinstance(route, HTTPRoute) and route.path == path
        for handler in route.route_handlers
        if "POST" in handler.http_methods
    ]
    return handler


def answered_send(running: Running) -> tuple[Any, Any]:
    """Return the beginning of the answer to a send, and its request."""
    scope = {
        "route_handler": handler_of(running, "/api/v1/notify"),
        "method": "POST",
        "path_params": {},
        "state": {},
        "user": None,
    }
    return {"type": "http.response.start", "status": 201}, scope


async def test_a_stop_writes_the_entries_of_all_answered_sends(running: Running) -> None:
    log = AuditLog(running.gateway.records, running.port, time.time)
    for _ in range(MOST_UNWRITTEN):
        await log.record(*answered_send(running))
    await log.close()

    entries = await running.gateway.records.audit(limit=1000)
    assert [entry.action for entry in entries] == ["notify"] * MOST_UNWRITTEN


async def test_an_entry_is_written_before_the_answer_when_too_many_are_not_written(running: Running) -> None:
    log = AuditLog(running.gateway.records, running.port, time.time)
    answered = [asyncio.ensure_future(log.record(*answered_send(running))) for _ in range(MOST_UNWRITTEN + 1)]
    await asyncio.sleep(0)  # the first step of each

    assert [each.done() for each in answered] == [True] * MOST_UNWRITTEN + [False]
    await answered[-1]
    await log.close()
    assert len(await running.gateway.records.audit(limit=1000)) == MOST_UNWRITTEN + 1


async def test_the_entries_of_sends_are_written_together_and_before_that_of_the_next_change(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "DELAY", 3600.0)
    log = AuditLog(running.gateway.records, running.port, time.time)
    message, scope = answered_send(running)
    for _ in range(3):
        await log.record(message, scope)
    assert await running.gateway.records.audit() == []
    changed: Any = {**scope, "route_handler": handler_of(running, "/api/v1/keys")}
    await log.record(message, changed)

    entries = await running.gateway.records.audit()
    assert [entry.action for entry in entries] == ["key.create", "notify", "notify", "notify"]
    await log.close()


class CountedRecords(PrivateRecordStore):
    """Records that count the entries of the audit log."""

    entries = 0
    transactions = 0

    async def append_audits(self, entries: Sequence[NewAuditEntry]) -> list[AuditEntry]:
        self.entries += len(entries)
        self.transactions += 1
        return await super().append_audits(entries)


async def test_the_entries_of_sends_are_written_in_one_transaction_after_a_delay(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "DELAY", 3600.0)
    records = CountedRecords()
    log = AuditLog(records, running.port, time.time)
    for _ in range(3):
        await log.record(*answered_send(running))
    await asyncio.sleep(0)  # the first step of each write
    assert records.entries == 0
    await log.close()
    assert (records.entries, records.transactions) == (3, 1)


async def test_the_entry_of_a_send_is_written_without_another_change(running: Running) -> None:
    log = AuditLog(running.gateway.records, running.port, time.time)
    await log.record(*answered_send(running))
    await asyncio.sleep(DELAY)
    while not await running.gateway.records.audit():
        pass
    await log.close()


async def test_a_restart_shows_the_entries_of_the_sends_before_it(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.log_in()
        async with running.client("send") as client:
            answers = await asyncio.gather(*(client.post("/api/v1/notify", content=f"{n}") for n in range(10)))
        assert {answer.status_code for answer in answers} == {201}
    async with start_gateway() as running, running.client("admin") as client:
        assert [entry["action"] for entry in await entries_of(client)] == ["notify"] * 10


def test_the_actions_of_all_changes_are_different(running: Running) -> None:
    actions = [
        action_of(handler.fn.__name__)
        for route in running.gateway.routes.routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/api/")
        for handler in route.route_handlers
        if not handler.http_methods & {"GET", "OPTIONS"}
    ]
    assert len(actions) == len(set(actions))


@pytest.mark.parametrize(
    ("handler", "action"),
    [("create_key", "key.create"), ("revive_dead_letter", "dead_letter.revive"), ("notify", "notify")],
)
def test_an_action_is_named_after_its_handler(handler: str, action: str) -> None:
    assert action_of(handler) == action
