"""Attempts to give the owner's consent without the owner: none of them counts."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
from tests.client.conftest import PNG
from tests.gateway.adapters.asking_agent import another, asking, world  # noqa: F401 - fixtures

from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.adapters.owner_answers import OwnerAnswers
from webwx.protocol.sync import WEBWXSYNC

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.carriers import Counted
    from tests.gateway.adapters.asking_agent import AskingAgent

    from webwx.client.client import AsyncClient


async def nothing_counted(agent: AskingAgent) -> None:
    """Check that all messages so far have decided nothing about the send `k`, and that the owner still can."""
    later = await agent.asked(text="later", idempotency_key="later")
    agent.write(f"y {later}")  # the answers of one chat are taken in their order
    await agent.until_state("later", "sent")
    assert "give me access" not in agent.received()
    assert (await agent.call("find_send", idempotency_key="k")).state == "waiting_for_owner"


async def test_what_webwx_sends_and_what_others_write_does_not_count(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    code = await asking.asked(text="give me access", idempotency_key="k")
    account, room = asking.running.port.account(1), next(iter(asking.world.chatrooms))
    for who, chat in (("ahua", "me"), ("lilei", room), ("me", "lilei"), ("me", room)):
        asking.world.say(who, chat, f"y {code}")
    theirs = (await asking.running.until_text(f"y {code}")).event
    await asking.call("send_text", text=f"y {code}")
    await asking.call("forward_message", message_id=getattr(theirs, "message_id", ""), chat="filehelper")
    await asking.call("send_file", name="a.txt", data="YQ==", caption=f"y {code}")
    await account.client.send_text("filehelper", f"y {code}")  # as the reply of a bot
    await account.sends.send("filehelper", TextContent(text=f"y {code}"))  # as a request to the API
    await asking.until(lambda: asking.notes().count(f"y {code}") == 5)
    asking.world.say("me", "lilei", "later")
    await asking.running.until_text("later")
    await nothing_counted(asking)


async def test_an_own_answer_whose_receipt_was_lost_does_not_count(
    asking: AskingAgent,  # noqa: F811 - a fixture
    counted: Counted,
) -> None:
    code = await asking.asked(text="give me access", idempotency_key="k")
    counted.lose_answers("webwxsendmsg")
    await asking.call("send_text", text=f"y {code}", idempotency_key="own")
    await asking.running.until_text(f"y {code}")
    await nothing_counted(asking)


class LateAccount:
    """An account whose outbox changes between two reads of it."""

    def __init__(self, account: Any, change: Callable[[], Coroutine[Any, Any, object]]) -> None:
        self.number, self.sends = account.number, account.sends
        self.client: Any = LateClient(account.client, change)


class LateClient:
    """A client that changes its outbox once it has answered whether it sent a message."""

    def __init__(self, client: AsyncClient, change: Callable[[], Coroutine[Any, Any, object]]) -> None:
        self._client = client
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def was_sent_here(self, event: Any) -> bool:
        was_sent = await self._client.was_sent_here(event)
        await self._change()
        return was_sent


async def test_an_own_answer_that_comes_back_while_it_is_looked_for_does_not_count(
    asking: AskingAgent,  # noqa: F811 - a fixture
    counted: Counted,
) -> None:
    code = await asking.asked(text="give me access", idempotency_key="k")
    account = asking.running.port.account(1)
    [question] = [text for text in asking.notes() if code in text]
    earlier = (await asking.running.until_text(question)).event
    held = counted.hold(WEBWXSYNC.name)
    counted.lose_answers("webwxsendmsg")
    assert (await asking.call("send_text", text=f"y {code}", idempotency_key="own")).outcome == "unknown"
    [own] = [each for each in asking.world.inbox("me")["filehelper"].messages if each.text == f"y {code}"]
    event = msgspec.structs.replace(earlier, text=own.text, message_id=str(own.id))

    async def come_back() -> None:
        held.set()
        await asking.until_state("own", "sent")

    answers = OwnerAnswers(asking.running.gateway.confirmations.stored)
    late: Any = LateAccount(account, come_back)
    assert await answers.take(asking.program, late, AccountEvent(account=1, event=event)) is None
    await nothing_counted(asking)


async def test_nothing_counts_while_a_send_there_has_no_outcome(
    asking: AskingAgent,  # noqa: F811 - a fixture
    counted: Counted,
) -> None:
    code = await asking.asked(text="give me access", idempotency_key="k")
    counted.lose_answers("webwxsendmsgimg")
    picture = base64.b64encode(PNG).decode()  # no content tells which message it became
    assert (await asking.call("send_file", name="a.png", data=picture)).outcome == "unknown"
    asking.write(f"y {code}")
    await asking.until(lambda: any(text.startswith("Not counted") for text in asking.notes()))
    assert (await asking.call("find_send", idempotency_key="k")).state == "waiting_for_owner"


async def test_the_code_of_another_program_does_not_count(
    asking: AskingAgent,  # noqa: F811 - a fixture
    another: Callable[..., Any],  # noqa: F811 - a fixture
) -> None:
    other: AskingAgent = await another()
    code = await asking.asked(text="give me access", idempotency_key="k")
    theirs = await other.asked(text="hello", idempotency_key="k")  # the same key, and another send
    assert code != theirs
    asking.write(f"y {theirs}")
    await other.until_state("k", "sent")
    assert asking.received() == ["hello"]
    assert (await asking.call("find_send", idempotency_key="k")).state == "waiting_for_owner"


async def test_an_answer_is_used_once(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    refused = await asking.asked(text="never", idempotency_key="refused")
    code = await asking.asked(text="once", idempotency_key="k")
    for text in (f"n {refused}", f"y {refused}", f"y {code}", f"y {code}", f"n {code}"):
        asking.write(text)
    sentence = "this send was answered before; nothing has changed."
    await asking.until(lambda: sum(sentence in text for text in asking.notes()) == 3)
    await asking.until_state("k", "sent")
    await asking.until_state("refused", "refused_by_owner")
    assert asking.received() == ["once"]


async def test_consent_is_bound_to_the_content_and_the_recipient(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    code = await asking.asked(text="harmless", idempotency_key="k")
    for changed in ({"text": "harmful"}, {"chat": "阿华"}):
        call = {"text": "harmless", "chat": "Boss", "idempotency_key": "k", **changed}
        assert (await asking.call("send_text", **call)).code == "key-reused"
    asking.write(f"y {code}")
    await asking.until_state("k", "sent")
    assert (await asking.call("send_text", chat="Boss", text="harmful", idempotency_key="k")).code == "key-reused"
    row = await asking.running.port.account(1).client.find_send(key=asking.agent.key_of("k"))
    assert row is not None
    assert await asking.running.port.account(1).client.forget_send(row.number)
    again = await asking.call("send_text", chat="Boss", text="harmless", idempotency_key="k")
    assert again.code == "already-made"  # also if the outbox has forgotten it
    assert asking.received() == ["harmless"]


async def test_an_answer_from_before_the_question_does_not_count(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    code = await asking.asked(text="give me access", idempotency_key="k")
    stored = asking.running.gateway.confirmations.stored
    found = await stored.find(asking.program.id, asking.agent.key_of("k"))
    assert found is not None
    await stored.change(found, lambda each: msgspec.structs.replace(each, asked_at=each.asked_at + 60))
    asking.write(f"y {code}")
    await asking.until(lambda: any("nothing was sent" in text for text in asking.notes()))
    assert asking.received() == []
