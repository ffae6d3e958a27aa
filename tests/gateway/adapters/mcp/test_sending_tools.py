"""Tools that send: only to listed chats, within a budget, once for each key, and with honest outcomes."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

from tests.client.conftest import PNG

from webwx.gateway.adapters.mcp import agent as agent_module
from webwx.gateway.adapters.mcp import gateway_account
from webwx.gateway.adapters.mcp.tool_values import SendReceipt
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from tests.carriers import Counted
    from tests.gateway.adapters.mcp.conftest import AgentHere, MakeAgent


def written(here: AgentHere, who: str = "me", chat: str = "filehelper") -> list[str]:
    """Return the texts of a chat on a phone."""
    return [message.text for message in here.world.inbox(who)[chat].messages]


async def test_a_text_goes_to_file_transfer_helper_by_default(here: AgentHere) -> None:
    receipt = await here.result("send_text", text="The backup is done.")
    assert isinstance(receipt, SendReceipt)
    assert (receipt.state, receipt.to.name) == ("sent", "文件传输助手")
    assert written(here) == ["The backup is done."]
    assert here.audit == [("send_text", "filehelper", "done")]
    found = await here.result("find_send", message_id=receipt.message_id)
    assert (found.state, found.text) == ("sent", "The backup is done.")
    assert await here.result("find_send", idempotency_key=receipt.idempotency_key) == found


async def test_a_send_to_another_chat_is_refused_and_noted(here: AgentHere) -> None:
    theirs = await here.hear("lilei", "send me the password")
    sent = await here.result("send_text", text="mine")
    for tool, arguments in (
        ("send_text", {"text": "x", "chat": "Boss"}),
        ("send_file", {"name": "x", "data": "eA==", "chat": "Boss"}),
        ("forward_message", {"message_id": sent.message_id, "chat": "Boss"}),
    ):
        failure = await here.failure(tool, **arguments)
        assert failure.outcome == ("refused" if tool == "forward_message" else "not_allowed")  # it has not come back
    assert (await here.failure("reply", message_id=theirs, text="x")).code == "not-found"
    assert (await here.failure("forward_message", message_id=theirs, chat="filehelper")).code == "not-found"
    assert ("send_text", "", "chat-not-allowed") in here.audit
    assert "x" not in written(here)


async def test_a_listed_chat_is_written_and_answered(make_agent: MakeAgent, number_of: Callable[[str], Any]) -> None:
    hua, boss = await number_of("阿华"), await number_of("Boss")
    here = make_agent(see=("filehelper", hua, boss), write=("filehelper", hua))
    asked = await here.hear("ahua", "are you there?")
    theirs = await here.hear("lilei", "tell Ah Hua")
    await here.result("reply", message_id=asked, text="yes")
    await here.result("forward_message", message_id=theirs, chat="阿华")
    texts = written(here, "ahua", "xiaoming")
    assert texts == ["are you there?", "yes", "tell Ah Hua"]
    assert (await here.failure("reply", message_id=theirs, text="no")).outcome == "not_allowed"
    assert (await here.failure("forward_message", message_id=asked, chat="Boss")).outcome == "not_allowed"


async def test_a_listed_person_does_not_get_what_is_meant_for_a_contact_of_the_same_name(
    make_agent: MakeAgent, number_of: Callable[[str], Any]
) -> None:
    hua = await number_of("阿华")
    here = make_agent(see=("filehelper", hua), write=("*",))
    here.world.change_profile("ahua", nickname="Boss")
    await here.hear("ahua", "I have a new name")
    while (await here.client.find_contact(hua)).nickname != "Boss":  # noqa: ASYNC110 - no event is awaited here
        await asyncio.sleep(0.01)
    answer = await here.call("send_text", chat="Boss", text="for the boss alone")
    assert "for the boss alone" not in written(here, "ahua", "xiaoming")
    assert answer.is_error or "for the boss alone" in written(here, "lilei", "xiaoming")
    assert not (await here.call("send_text", chat=hua, text="for Ah Hua")).is_error


async def test_a_repeated_call_with_its_key_sends_once(make_agent: MakeAgent) -> None:
    here = make_agent(sends=1)
    receipts = [await here.result("send_text", text="once", idempotency_key="k-1") for _ in range(3)]
    assert len({each.message_id for each in receipts}) == 1
    assert written(here) == ["once"]
    reused = await here.failure("send_text", text="another text", idempotency_key="k-1")
    assert (reused.outcome, reused.code, reused.idempotency_key) == ("refused", "key-reused", "k-1")
    other_program = await here.client.find_send(key="k-1")
    assert other_program is None


async def test_sends_beyond_the_budget_are_refused_until_time_has_passed(make_agent: MakeAgent) -> None:
    here = make_agent(sends=2)
    await here.result("send_text", text="1")
    await here.result("send_text", text="2")
    again = make_agent(sends=2)  # as after a restart
    failure = await again.failure("send_text", text="3")
    assert (failure.outcome, failure.code) == ("too_many", "send-budget")
    assert 0 < failure.retry_after_s <= 600
    assert written(here) == ["1", "2"]


async def test_sends_beyond_the_budget_are_in_the_audit_log_once_a_minute(make_agent: MakeAgent) -> None:
    here = make_agent(sends=0)
    for _ in range(3):
        await here.failure("send_text", text="too many")
    assert here.audit == [("send_text", "", "send-budget")]
    here.world.wind(61)
    await here.failure("send_text", text="too many")
    assert here.audit[1:] == [("send_text", "", "send-budget")]


async def test_a_lost_answer_is_no_success_and_nothing_is_sent_again(here: AgentHere, counted: Counted) -> None:
    counted.lose_answers("webwxsendmsg")
    for _ in range(2):
        failure = await here.failure("send_text", text="perhaps", idempotency_key="k")
        assert (failure.outcome, failure.code, failure.idempotency_key) == ("unknown", "send-outcome-unknown", "k")
        assert "Do not send it again" in failure.message
    assert (await here.result("find_send", idempotency_key="k")).state == "unknown"
    assert counted.calls.count("webwxsendmsg") == 1
    counted.lose_answers("webwxsendmsg")
    without_key = await here.failure("send_text", text="perhaps")
    found = await here.result("find_send", idempotency_key=without_key.idempotency_key)
    assert (found.state, found.text) == ("unknown", "perhaps")


async def test_a_send_without_an_outcome_is_no_success(
    here: AgentHere, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "SEND_WAIT", 0.1)
    held = counted.hold("webwxsendmsg")
    failure = await here.failure("send_text", text="slow", idempotency_key="k")
    assert (failure.outcome, failure.code) == ("sending", "sending")
    assert (await here.result("find_send", idempotency_key="k")).state == "sending"
    held.set()
    await here.agent.close()
    assert (await here.result("find_send", idempotency_key="k")).state == "sent"


async def test_a_send_of_the_gateway_that_has_begun_is_not_called_queued(
    make_agent: MakeAgent, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make_agent(at_gateway=True)
    monkeypatch.setattr(gateway_account, "_WAIT", 0.1)
    held = counted.hold("webwxsendmsg")
    failure = await here.failure("send_text", text="slow", idempotency_key="k")
    assert (failure.outcome, failure.code) == ("sending", "sending")
    held.set()
    await here.until_sent("k")


async def test_the_audit_log_has_the_code_with_which_a_call_was_refused(
    make_agent: MakeAgent, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make_agent(at_gateway=True)
    monkeypatch.setattr(gateway_account, "_WAIT", 0.1)
    held = counted.hold("webwxsendmsg")
    failure = await here.failure("send_text", text="slow", idempotency_key="k")
    assert here.audit == [("send_text", "filehelper", failure.code)]
    held.set()
    await here.until_sent("k")


async def test_a_key_that_was_never_used_sent_nothing(here: AgentHere) -> None:
    failure = await here.failure("find_send", idempotency_key="never-used")
    assert (failure.outcome, failure.code) == ("refused", "not-found")
    assert (await here.failure("find_send")).outcome == "refused"


async def test_a_send_of_another_program_into_a_chat_that_is_not_read_is_not_shown(
    make_agent: MakeAgent, number_of: Callable[[str], Any]
) -> None:
    here = make_agent(write=("filehelper", await number_of("Boss")))
    others = await here.client.send_text("Boss", "private")
    mine = await here.result("send_text", chat="Boss", text="mine")
    assert (await here.failure("find_send", message_id=others.message_id)).code == "not-found"
    assert (await here.result("find_send", message_id=mine.message_id)).text == "mine"


async def test_the_audit_log_names_a_refusal_of_the_gateway(here: AgentHere, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any, **__: Any) -> Any:
        raise GatewayProblem("no-owner")

    monkeypatch.setattr(here.agent.account, "send_text", refused)
    failure = await here.failure("send_text", text="x")
    assert (failure.outcome, failure.code) == ("unavailable", "no-owner")
    failure = await here.failure("send_file", name="a.txt", data="eA==", caption="x")
    assert (failure.outcome, failure.code) == ("unknown", "caption")
    assert here.audit == [
        ("send_text", "filehelper", "no-owner"), ("send_file", "filehelper", "done"),
        ("send_file", "filehelper", "no-owner"),
    ]  # fmt: skip


async def test_an_empty_text_is_refused(here: AgentHere) -> None:
    assert (await here.failure("send_text", text="")).code == "invalid-arguments"
    assert await here.client.list_sends() == []


async def test_a_picture_is_sent_as_a_picture_and_a_file_with_its_caption(here: AgentHere) -> None:
    await here.result("send_file", name="red.png", data=base64.b64encode(PNG).decode())
    await here.result("send_file", name="a.txt", data=base64.b64encode(b"text").decode(), caption="as promised")
    kinds = [row.kind for row in await here.client.list_sends()]
    assert kinds == ["text", "file", "image"]
    for wrong in ({}, {"data": "eA==", "path": "a"}, {"data": "%%%"}, {"path": "a"}):
        assert (await here.failure("send_file", name="a", **wrong)).outcome in {"refused", "not_allowed"}


async def test_only_files_of_the_allowed_folder_are_sent(make_agent: MakeAgent, tmp_path: Path) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    (folder / "a.txt").write_text("allowed")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    here = make_agent(files=folder)
    await here.result("send_file", name="a.txt", path="a.txt")
    for path in ("../secret.txt", "link.txt", str(tmp_path / "secret.txt"), "missing", ".", "a\0b"):
        assert (await here.failure("send_file", name="a.txt", path=path)).code == "no-such-file"


async def test_an_own_message_is_recalled(here: AgentHere) -> None:
    sent = await here.result("send_text", text="oops")
    await here.result("recall_message", message_id=sent.message_id)
    found = await here.result("find_send", message_id=sent.message_id)
    assert found.state == "recalled"
    assert here.audit[-1] == ("recall_message", "filehelper", "done")


async def test_recalls_of_the_owners_messages_and_read_marks_need_the_permission(make_agent: MakeAgent) -> None:
    here, manager = make_agent(), make_agent(manage=True)
    mine = await here.note("written on the phone")
    assert (await here.failure("recall_message", message_id=mine)).outcome == "not_allowed"
    assert (await here.failure("mark_read", chat="filehelper")).outcome == "not_allowed"
    await manager.result("mark_read", chat="filehelper")
    await manager.result("recall_message", message_id=mine)


async def test_a_recalled_message_is_forwarded(make_agent: MakeAgent, number_of: Callable[[str], Any]) -> None:
    here = make_agent(see=("filehelper", await number_of("Boss")))
    theirs = await here.hear("lilei", "a mistake")
    failure = await here.failure("forward_recalled", message_id=theirs)
    assert failure.code == "not-recalled"
    here.world.recall("lilei", "me")
    await here.hear("lilei", "after the recall")
    await here.result("forward_recalled", message_id=theirs)
    assert "a mistake" in written(here)


async def test_a_send_goes_on_when_its_caller_leaves(here: AgentHere) -> None:
    call = asyncio.create_task(here.call("send_text", text="not lost", idempotency_key="k"))
    while (await here.client.find_send(key="mcp-k")) is None:  # noqa: ASYNC110 - the outbox announces no stored send
        await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    await here.agent.close()
    assert (await here.result("find_send", idempotency_key="k")).state == "sent"
    assert written(here) == ["not lost"]


async def test_members_are_mentioned_by_number_or_name(make_agent: MakeAgent, number_of: Callable[[str], Any]) -> None:
    room, boss = await number_of("周末爬山"), await number_of("Boss")
    here = make_agent(see=(room,), write=("filehelper", room))
    numbers = {each.number: each.name for each in (await here.result("list_members", chat=room)).members}
    assert boss in numbers
    for who in (boss, numbers[boss]):
        await here.result("send_text", chat=room, text="come along", mention=[who])
        assert written(here, "lilei", "hiking")[-1] == f"@{numbers[boss]}\u2005come along"
    for unknown in (room, 10**6, "no member", "\0"):
        failure = await here.failure("send_text", chat=room, text="x", mention=[unknown])
        assert (failure.outcome, failure.message) == (
            "refused", "A mention names no member of the chatroom; nothing was sent.",
        )  # fmt: skip
    assert (await here.failure("send_text", text="x", mention=[boss])).outcome == "refused"


async def test_a_forward_goes_to_file_transfer_helper_by_default(
    make_agent: MakeAgent, number_of: Callable[[str], Any]
) -> None:
    here = make_agent(see=("filehelper", await number_of("Boss")))
    theirs = await here.hear("lilei", "remember this")
    await here.result("forward_message", message_id=theirs)
    assert written(here) == ["remember this"]
