"""A question whose receipt was lost, in a world in which a session does not get its own sends through sync."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.gateway.adapters.asking_agent import asking_agent

if TYPE_CHECKING:
    from tests.carriers import Counted
    from tests.gateway.conftest import Running


async def test_the_answer_to_a_question_whose_receipt_was_lost_counts(online: Running, counted: Counted) -> None:
    asking = await asking_agent(online)
    counted.lose_answers("webwxsendmsg")
    code = await asking.asked(text="hello", idempotency_key="k")
    asking.write(f"y {code}")
    await asking.until(lambda: asking.received() == ["hello"])
