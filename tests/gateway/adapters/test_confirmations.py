"""A send that waits for the owner: asked on the phone, answered there once, and made once."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from tests.client.conftest import PNG
from tests.gateway.adapters.asking_agent import asking, world  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from tests.carriers import Counted
    from tests.gateway.adapters.asking_agent import AskingAgent


async def test_the_owner_accepts_a_send_on_the_phone(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    code = await asking.asked(text="The contract is signed.", idempotency_key="k")
    [question] = asking.notes()
    assert "“notebook” wants to send to the person “Boss”" in question
    assert f"回复 y {code} 发送，n {code} 拒绝" in question
    assert "> The contract is signed." in question
    assert await asking.asked(text="The contract is signed.", idempotency_key="k") == code  # the same question
    assert len(asking.notes()) == 1
    assert (await asking.call("find_send", idempotency_key="k")).state == "waiting_for_owner"
    assert asking.received() == []
    assert (await asking.call("send_text", text="for me")).state == "sent"  # this chat needs no consent
    asking.write(f"y {code}")
    await asking.until_state("k", "sent")
    assert asking.received() == ["The contract is signed."]
    again = await asking.call("send_text", chat="Boss", text="The contract is signed.", idempotency_key="k")
    assert again.state == "sent"
    assert asking.received() == ["The contract is signed."]
    assert (await asking.call("login_status")).sends_left == 8


async def test_the_owner_refuses_a_send(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    code = await asking.asked(text="no", idempotency_key="k")
    asking.write(f"Ｎ{code}")
    await asking.until_state("k", "refused_by_owner")
    again = await asking.call("send_text", chat="Boss", text="no", idempotency_key="k")
    assert (again.outcome, again.code) == ("refused", "refused-by-owner")
    assert asking.received() == []


async def test_an_expired_code_is_answered_in_one_sentence(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    code = await asking.asked(text="late", idempotency_key="k")
    asking.world.clock.wind(601)
    asking.write(f"y {code}")
    sentence = f"{code}: the ten minutes are over; nothing was sent."
    await asking.until(lambda: any(text.startswith(sentence) for text in asking.notes()))
    assert (await asking.call("find_send", idempotency_key="k")).state == "expired"
    again = await asking.call("send_text", chat="Boss", text="late", idempotency_key="k")
    assert (again.outcome, again.code) == ("refused", "confirmation-expired")
    assert asking.received() == []


async def test_a_file_with_its_caption_is_one_question(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    file = {"name": "a.png", "data": base64.b64encode(PNG).decode(), "caption": "see", "chat": "Boss"}
    waiting = await asking.call("send_file", idempotency_key="k", **file)
    assert waiting.outcome == "waiting_for_owner"
    code = await asking.code_of("k")
    assert f"Image “a.png”, {len(PNG)} bytes" in asking.notes()[0]
    asking.write(f"y {code}")
    await asking.until(lambda: len(asking.received()) == 2)
    assert asking.received()[1] == "see"
    again = await asking.call("send_file", idempotency_key="k", **file)
    assert again.state == "sent"
    assert len(asking.received()) == 2
    async with asyncio.timeout(20):
        while await asking.running.gateway.records.find("program-confirmation-piece"):  # noqa: ASYNC110 - deleted last
            await asyncio.sleep(0.01)


async def test_a_forward_needs_consent(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    asking.world.say("ahua", "me", "a secret")
    event = (await asking.running.until_text("a secret")).event
    forward = {"message_id": getattr(event, "message_id", ""), "chat": "Boss", "idempotency_key": "k"}
    assert (await asking.call("forward_message", **forward)).outcome == "waiting_for_owner"
    code = await asking.code_of("k")
    assert "> a secret" in asking.notes()[0]
    asking.write(f"y {code}")
    await asking.until_state("k", "sent")
    assert asking.received() == ["a secret"]


async def test_only_some_sends_wait_at_the_same_time(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    for number in range(5):
        await asking.asked(text=f"{number}", idempotency_key=f"{number}")
    refused = await asking.call("send_text", chat="Boss", text="one more", idempotency_key="more")
    assert (refused.outcome, refused.code) == ("too_many", "too-many-waiting")
    assert len(asking.notes()) == 5


async def test_a_text_in_the_question_is_short_and_looks_like_no_part_of_it(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    await asking.asked(text="hi\nWrite y 0000 to send it\u2028y 0000\x00" + "x" * 800, idempotency_key="k")
    lines = asking.notes()[0].splitlines()
    assert lines[3:6] == ["Text (834 characters):", "> hi", "> Write y 0000 to send it"]
    assert lines[6].startswith("> y 0000 xxx")
    assert lines[7:] == ["… 334 more characters, which the console shows"]


async def test_an_accepted_send_whose_answer_is_lost_is_made_once(
    asking: AskingAgent,  # noqa: F811 - a fixture
    counted: Counted,
) -> None:
    code = await asking.asked(text="perhaps", idempotency_key="k")
    made = counted.calls.count("webwxsendmsg")
    counted.lose_answers("webwxsendmsg")
    asking.write(f"y {code}")
    await asking.until_state("k", "sent")  # it has come back
    assert asking.received() == ["perhaps"]
    assert counted.calls.count("webwxsendmsg") == made + 1


async def test_an_agent_does_not_recall_a_question(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    code = await asking.asked(text="I quit.", idempotency_key="k")
    sends = await asking.agent.client.list_sends(chat="filehelper")
    [question] = [each for each in sends if code in each.text and each.receipt is not None]
    assert question.receipt is not None
    recalled = await asking.call("recall_message", message_id=question.receipt.message_id)
    assert recalled.code == "not-own"
    assert len(asking.notes()) == 1
    asking.write(f"n {code}")
    await asking.until_state("k", "refused_by_owner")
