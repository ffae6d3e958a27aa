"""Questions and answers outlive a gateway, and a crash between two of its steps neither loses nor doubles a send."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.gateway.adapters.asking_agent import AskingAgent, agent_of, asking_agent, world  # noqa: F401 - a fixture
from tests.gateway.cluster_nodes import node
from tests.postgres import TemporarySchema

from webwx.gateway.adapters.confirmation import SendToConfirm
from webwx.gateway.adapters.mcp.adapter import McpAdapter
from webwx.gateway.adapters.permissions import ChatPermissions
from webwx.gateway.adapters.program import Program, StoredProgram
from webwx.gateway.adapters.programs import read_options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import Running, StartGateway

    from webwx.sandbox.core import SandboxCore


async def restarted(running: Running, program: Program) -> AskingAgent:
    """Return the agent of a program after a restart of its gateway, which works with its programs."""
    await running.until_online("default")
    await running.gateway.adapters.refresh()
    return AskingAgent(running, program, agent_of(running.gateway, program))


async def test_an_answer_that_was_written_while_the_gateway_was_down_counts(start_gateway: StartGateway) -> None:
    async with start_gateway() as first:
        await first.log_in()
        asking = await asking_agent(first)
        code = await asking.asked(text="hello", idempotency_key="k")
    asking.write(f"y {code}")
    async with start_gateway() as second:
        again = await restarted(second, asking.program)
        await again.until_state("k", "sent")
    assert asking.received() == ["hello"]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"state": "preparing", "asked_at": 0.0}, id="after the question was stored"),
        pytest.param({"state": "waiting"}, id="before the answer was stored"),
        pytest.param({"state": "accepted", "decided_by": "1"}, id="before the send was stored"),
    ],
)
async def test_a_crash_before_the_send_is_stored_loses_nothing(
    start_gateway: StartGateway, state: dict[str, Any]
) -> None:
    async with start_gateway() as first:
        await first.log_in()
        asking = await asking_agent(first)
        code = await asking.asked(text="hello", idempotency_key="k")
        await put(asking, **state)  # as the crash leaves it
    asking.write(f"y {code}")
    async with start_gateway() as second:
        again = await restarted(second, asking.program)
        await again.until_state("k", "sent")
    assert asking.received() == ["hello"]


async def test_a_crash_after_the_send_was_stored_doubles_nothing(start_gateway: StartGateway) -> None:
    async with start_gateway() as first:
        await first.log_in()
        asking = await asking_agent(first)
        code = await asking.asked(text="hello", idempotency_key="k")
        asking.write(f"y {code}")
        await asking.until_state("k", "sent")
        await put(asking, state="accepted", text="hello")  # as the crash leaves it
    async with start_gateway() as second:
        again = await restarted(second, asking.program)
        later = await again.asked(text="later", idempotency_key="later")
        again.write(f"y {later}")
        await again.until_state("later", "sent")
        found = await again.agent.question(again.agent.key_of("k"))
        assert found is not None
        assert found.state == "made"
    assert asking.received() == ["hello", "later"]


async def put(asking: AskingAgent, **fields: Any) -> None:
    """Store fields of the confirmation `k`."""
    stored = asking.running.gateway.confirmations.stored
    found = await stored.find(asking.program.id, asking.agent.key_of("k"))
    assert found is not None
    await stored.change(found, lambda each: msgspec.structs.replace(each, **fields))


async def test_a_failed_send_that_an_earlier_version_has_stored_has_the_code_of_its_error(online: Running) -> None:
    asking = await asking_agent(online)
    await asking.asked(text="hello", idempotency_key="k")
    await put(asking, state="failed", error="RecipientRejected")  # an earlier version stored the name of the class
    found = await asking.agent.question(asking.agent.key_of("k"))
    assert found is not None
    assert found.failure.code == "recipient-rejected"
    refused = await asking.call("send_text", chat="Boss", text="hello", idempotency_key="k")
    assert (refused.code, found.failure.text in refused.message) == ("confirmed-send-failed", True)
    assert "RecipientRejected" not in refused.message


@pytest.mark.verify
async def test_any_node_asks_and_the_owner_of_the_account_takes_the_answer(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    stored = StoredProgram(
        id="", name="n", adapter="mcp", account=1, digest="", created_at=0, options={"confirm": "phone"},
        permissions=ChatPermissions(see=("*",), write=("*",)),
    )  # fmt: skip
    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
        node(schema, sandbox, tmp_path / "owner") as owner,
    ):
        number = await owner.log_in()
        account = await owner.until_owned(number)
        made = await front.gateway.programs.create(msgspec.structs.replace(stored, account=number))
        program = Program(made.program, read_options(McpAdapter, made.program))
        for each in (front, owner):
            await each.gateway.adapters.refresh()
        assert any(each.name == made.program.consumer for each in await account.client.list_consumers())
        await front.until_status(number, lambda status: status.state == "online")
        asking = AskingAgent(front, program, agent_of(front.gateway, program))  # type: ignore[arg-type]
        code = await asking.asked(text="hello", idempotency_key="k")
        assert asking.received() == []
        asking.write(f"y {code}")
        await asking.until_state("k", "sent")
    assert asking.received() == ["hello"]


async def test_no_file_is_asked_about_that_is_not_stored(online: Running) -> None:
    asking = await asking_agent(online)
    confirmations, program = online.gateway.confirmations, asking.program
    first = SendToConfirm("mcp-k", 1, "Boss", is_group=False, kind="file", text="", content=b"first", file="a.txt")
    await confirmations.stored.add(program, first)  # as a crash before the file leaves it
    found = await confirmations.ask(program, first._replace(content=b"other"))
    assert (found.digest, found.state) == (first.digest, "preparing")
    found = await confirmations.ask(program, first)
    assert found.state == "waiting"
    assert await confirmations.stored.file_of(found) == b"first"


async def test_a_full_disk_ends_no_later_sends(online: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = await asking_agent(online)
    data = base64.b64encode(b"content").decode()
    await asking.call("send_file", chat="Boss", data=data, name="a.txt", idempotency_key="k")
    found = await asking.agent.question(asking.agent.key_of("k"))
    assert found is not None
    missing = str(online.folder / "missing")
    monkeypatch.setattr(tempfile, "tempdir", missing)
    await online.gateway.confirmations.decide(found, is_yes=True)
    sends = online.gateway.confirmations._sends
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await asyncio.shield(sends._tasks[asking.program.id])
    monkeypatch.undo()
    online.gateway.confirmations.look(asking.program)
    await asking.until_state("k", "sent")
