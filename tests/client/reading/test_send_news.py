"""Changed sends that wait for a reader."""

from __future__ import annotations

import asyncio

from tests.client.reading.test_sends_of_others import send

from webwx.client.reading.send_news import SendNews


async def test_changed_sends_come_in_order_and_quick_changes_once() -> None:
    news = SendNews[int]()
    for number in (2, 1, 2):
        news.note(number)
    assert [await news.take(), await news.take()] == [2, 1]
    now = asyncio.get_running_loop().time()
    assert await news.take_until(now) is None
    waiting = asyncio.ensure_future(news.take_until(now + 600))
    await asyncio.sleep(0)
    news.note(3)
    assert await waiting == 3


def test_a_known_state_is_not_new() -> None:
    news = SendNews[int]()
    assert news.is_new(1, send(1, "sending", 1.0))
    assert not news.is_new(1, send(1, "sending", 1.0))
    assert news.is_new(1, send(1, "sent", 2.0))
    for number in range(2, 1_002):
        assert news.is_new(number, send(number, "sent", 2.0))
    assert news.is_new(1, send(1, "sent", 2.0))
