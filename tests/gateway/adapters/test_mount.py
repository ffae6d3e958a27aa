"""The checks before an adapter: bodies, failures of adapters, and programs that are changed while they are used."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from tests.gateway.adapters.conftest import created, port_of
from tests.gateway.adapters.toy import PACKAGE
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from webwx.gateway.access.auth import FREE_FAILURES
from webwx.gateway.adapters.program import Program, StoredProgram
from webwx.gateway.adapters.programs import Programs
from webwx.gateway.adapters.stored_ids import StoredIds
from webwx.gateway.config import GatewayConfig, LimitsTable

if TYPE_CHECKING:
    from litestar.types.asgi_types import HTTPScope
    from tests.gateway.conftest import Running, StartGateway

    from webwx.gateway.adapters.registry import AdapterEntry


async def test_a_body_is_at_most_as_long_as_the_adapter_allows(noted: Running) -> None:
    token = (await created(noted))["token"]

    async def pieces() -> Any:
        for _ in range(3):
            yield b" " * 30_000

    async with noted.anonymous() as client:
        announced = await client.post(f"/note{token}/send", content=b" " * 70_000)
        chunked = await client.post(f"/note{token}/send", content=pieces())
    for answer in (announced, chunked):
        assert (answer.status_code, answer.json()["error"]) == (413, "body-too-large")


async def test_wrong_tokens_of_an_address_have_to_wait_and_a_valid_one_has_not(noted: Running) -> None:
    token = (await created(noted))["token"]
    async with noted.anonymous(address="192.0.2.7") as client:
        statuses = [(await client.post(f"/note{n}/send", json={})).status_code for n in range(FREE_FAILURES + 2)]
        valid = await client.post(f"/note{token}/send", json={"chat": 1, "text": "hi"})
    assert statuses == [401] * FREE_FAILURES + [429] * 2
    assert valid.status_code == 404


async def test_a_stored_program_whose_adapter_misses_its_libraries_is_answered(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], caplog: pytest.LogCaptureFixture
) -> None:
    entries = dict(toy)
    async with start_gateway(adapters=entries) as running:
        await running.log_in()
        token = (await created(running))["token"]
    entries["note"] = msgspec.structs.replace(toy["note"], place="no_such_library.adapter:Adapter", extra="notes")
    async with start_gateway(adapters=entries) as running, running.anonymous() as client:
        for path in (f"/note{token}/send", "/notewrong/send"):
            answer = await client.post(path, json={})
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        async with running.client("admin") as owner:
            assert (await owner.get("/api/v1/programs")).status_code == 200


async def test_an_error_of_an_adapter_is_answered_without_its_text(
    noted: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await created(noted)

    async def fail(*_: object) -> None:
        raise ValueError("a text of a chat")

    monkeypatch.setattr(sys.modules[f"{PACKAGE}.adapter"], "send_note", fail)
    async with noted.anonymous() as client, noted.client("adapters") as owner:
        answer = await client.post(f"/note{made['token']}/send", json={})
        shown = (await owner.get(f"/api/v1/programs/{made['program']['id']}")).json()
    assert (answer.status_code, answer.json()["error"]) == (500, "internal-error")
    assert (shown["last_error"], shown["peers"]) == ("The gateway failed; its log says where.", [])
    assert "ValueError" in caplog.text
    assert "a text of a chat" not in caplog.text


async def test_an_error_after_the_begin_of_a_connection_closes_it_as_an_error_of_the_gateway(
    noted: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await created(noted))["token"]

    async def fail(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(sys.modules[f"{PACKAGE}.adapter"], "send_messages", fail)
    async with port_of(noted) as address, connect(f"ws://{address}/note{token}/socket") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011


async def test_connections_of_programs_are_not_limited_as_those_without_a_key(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry]
) -> None:
    """One address has half of the connections until they have shown a valid token."""
    async with start_gateway(GatewayConfig(limits=LimitsTable(connections=8)), adapters=toy) as running:
        await running.log_in()
        token = (await created(running))["token"]
        async with port_of(running) as address, contextlib.AsyncExitStack() as opened:
            sockets = [
                await opened.enter_async_context(connect(f"ws://{address}/note{token}/socket")) for _ in range(6)
            ]
            for socket in sockets:
                await (await socket.ping())


async def test_a_program_that_another_process_has_deleted_is_not_served(noted: Running) -> None:
    made = await created(noted)
    await noted.gateway.records.delete("program", made["program"]["id"])
    noted.world.clock.wind(1)
    async with noted.anonymous() as client:
        assert (await client.post(f"/note{made['token']}/send", json={})).status_code == 404


async def test_a_program_that_another_process_has_stored_begins_before_its_first_request(noted: Running) -> None:
    async with noted.anonymous() as client:
        await client.post(f"/note{(await created(noted))['token']}/send", json={})  # the adapter is imported
        programs = Programs(noted.gateway.records, noted.world.clock.now, noted.gateway.programs.entries)
        stored = StoredProgram(id="", name="other", adapter="note", account=1, digest="", created_at=0)
        made = await programs.create(stored)
        noted.world.clock.wind(1)  # the programs are read again
        begun: list[str] = []
        adapter = noted.gateway.adapters._opened["note"]

        async def begin(program: Program) -> None:
            await asyncio.sleep(0.05)  # a request that did not wait would be answered first
            begun.append(program.id)

        adapter.begin = begin  # type: ignore[method-assign]
        await client.post(f"/note{made.token}/send", json={})
    assert begun == [made.program.id]


async def test_what_programs_do_is_in_the_audit_log(noted: Running) -> None:
    made = await created(noted, write=["*"])
    number = await StoredIds("note", noted.gateway.records, noted.world.clock.now).number_of("chats/1", "filehelper")
    async with noted.anonymous() as client, noted.client("admin") as owner:
        sent = await client.post(f"/note{made['token']}/send", json={"chat": number, "text": "hi"})
        [first, *_] = (await owner.get("/api/v1/audit")).json()["entries"]
    assert sent.json() == {"ok": True}
    assert (first["actor"], first["action"], first["target"]) == (f"program {made['program']['id']}", "note.send", "1")


async def test_a_request_is_for_the_account_of_its_program_so_that_its_owner_answers(noted: Running) -> None:
    token = (await created(noted))["token"]

    async def account_of(path: str) -> int | None:
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": []}
        return await noted.gateway.adapters.account_of(cast("HTTPScope", scope))

    assert await account_of(f"/note{token}/send") == 1
    assert await account_of(f"/adapters/note/note{token}/send") == 1
    for path in ("/notewrong/send", "/adapters/note/send", "/adapters/other/send", "/api/v1/accounts"):
        assert await account_of(path) is None
