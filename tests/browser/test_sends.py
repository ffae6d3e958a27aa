"""What is written on a phone is sent in its order, and once: also when answers are slow, or are lost."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from tests.browser.network import lose_answer

if TYPE_CHECKING:
    from playwright.async_api import Route
    from tests.browser.user import BrowserUser

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

LOST = "console: Failed to load resource: net::ERR_FAILED"


def texts(world: World) -> list[str]:
    return [each.text for each in world.inbox("me")["ahua"].messages]


async def write(hands: BrowserUser, *lines: str) -> None:
    for line in lines:
        await hands.page.get_by_role("textbox", name="Message").fill(line)
        await hands.page.keyboard.press("Enter")


async def test_texts_that_are_written_quickly_are_sent_one_after_another(hands: BrowserUser, world: World) -> None:
    await hands.begin_chat("阿华")
    first, release = asyncio.Event(), asyncio.Event()
    asked = []

    async def answer_late(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or "")["text"])
        if len(asked) == 1:
            first.set()
            await release.wait()
        await route.continue_()

    await hands.page.route("**/control/say", answer_late)
    await write(hands, "one", "two", "three")
    await first.wait()
    await hands.see(hands.to_send.filter(has_text="three")).to_contain_text("Waiting")
    assert asked == ["one"]
    release.set()
    await hands.see(hands.message("three")).to_be_visible()
    assert texts(world) == ["one", "two", "three"]
    await hands.see(hands.to_send).to_have_count(0)


async def test_a_text_whose_answer_is_lost_is_sent_once_and_before_the_next_one(
    hands: BrowserUser, world: World
) -> None:
    await hands.begin_chat("阿华")

    await hands.page.route("**/control/say", lose_answer)
    await write(hands, "one", "two")
    await hands.see(hands.to_send.filter(has_text="one")).to_contain_text("The sandbox does not answer.")
    await hands.see(hands.to_send.filter(has_text="two")).to_contain_text("Waiting")
    await hands.keep("unsent-texts")
    await hands.page.unroute("**/control/say")
    await hands.button("Try again").dblclick()
    await hands.see(hands.message("two")).to_be_visible()
    assert texts(world) == ["one", "two"]
    await hands.see(hands.to_send).to_have_count(0)
    hands.wrongs.remove(LOST)


async def test_a_text_whose_answer_is_lost_arrives_once_after_a_reload(hands: BrowserUser, world: World) -> None:
    await hands.begin_chat("阿华")
    await hands.page.route("**/control/say", lose_answer)
    await write(hands, "one", "two")
    await hands.see(hands.to_send.filter(has_text="one")).to_contain_text("The sandbox does not answer.")
    await hands.page.unroute("**/control/say")
    await hands.page.route("**/control/say", lambda route: route.abort())
    await hands.page.reload()
    first = hands.to_send.filter(has_text="one")
    await hands.see(first).to_contain_text("The sandbox does not answer.")
    await hands.see(hands.to_send.filter(has_text="two")).to_contain_text("Waiting")
    async with hands.page.expect_event("requestfailed"):
        await hands.button("Try again").click()
    await hands.see(first).to_contain_text("The sandbox does not answer.")
    await hands.page.unroute("**/control/say")
    await hands.button("Try again").click()
    await hands.see(hands.message("two")).to_be_visible()
    await hands.see(hands.to_send).to_have_count(0)
    await hands.page.reload()
    await hands.see(hands.message("two")).to_be_visible()
    await hands.see(hands.to_send).to_have_count(0)
    assert texts(world) == ["one", "two"]
    while LOST in hands.wrongs:
        hands.wrongs.remove(LOST)


async def test_a_text_on_its_way_is_sent_once_when_the_page_is_reloaded(hands: BrowserUser, world: World) -> None:
    await hands.begin_chat("阿华")
    delivered = asyncio.Event()

    async def keep_answer(route: Route) -> None:
        await route.fetch()
        delivered.set()

    await hands.page.route("**/control/say", keep_answer, times=1)
    await write(hands, "one", "two")
    await delivered.wait()
    await hands.page.reload()
    await hands.see(hands.message("two")).to_be_visible()
    await hands.see(hands.to_send).to_have_count(0)
    assert texts(world) == ["one", "two"]


async def test_a_text_that_is_tried_again_is_sent_when_the_page_is_reloaded(hands: BrowserUser, world: World) -> None:
    await hands.begin_chat("阿华")
    await hands.page.route("**/control/say", lose_answer)
    await write(hands, "one")
    await hands.see(hands.button("Try again")).to_be_visible()
    await hands.page.unroute("**/control/say")
    asked: asyncio.Future[Route] = asyncio.get_running_loop().create_future()
    await hands.page.route("**/control/say", lambda route: asked.set_result(route), times=1)
    await hands.button("Try again").click()
    await asked
    await hands.page.reload()
    await hands.see(hands.message("one")).to_be_visible()
    await hands.see(hands.to_send).to_have_count(0)
    assert texts(world) == ["one"]
    hands.wrongs.remove(LOST)


async def test_a_text_that_one_tab_has_sent_is_no_longer_unsent_in_another(hands: BrowserUser, world: World) -> None:
    await hands.begin_chat("阿华")
    await hands.page.route("**/control/say", lose_answer)
    await write(hands, "one")
    await hands.see(hands.button("Try again")).to_be_visible()
    await hands.page.unroute("**/control/say")
    tab = await hands.page.context.new_page()
    await tab.goto(hands.page.url)
    await tab.get_by_role("button", name="Try again").click()
    await hands.see(hands.to_send).to_have_count(0)
    assert texts(world) == ["one"]
    hands.wrongs.remove(LOST)


async def test_a_text_that_is_not_sent_can_be_edited_and_removed_and_survives_a_reload(
    hands: BrowserUser, world: World
) -> None:
    await hands.begin_chat("阿华")
    text = hands.page.get_by_role("textbox", name="Message")
    await hands.page.route("**/control/say", lambda route: route.abort())
    await write(hands, "one", "two")
    await hands.see(hands.to_send).to_have_count(2)
    await hands.see(hands.button("Try again")).to_be_visible()
    await hands.button("Edit", hands.to_send.last).click()
    await hands.see(text).to_have_value("two")
    await hands.see(text).to_be_focused()
    await hands.page.reload()
    await hands.see(text).to_have_value("two")
    await hands.see(hands.to_send).to_contain_text("one")
    await hands.button("Remove one").click()
    await hands.see(hands.to_send).to_have_count(0)
    await hands.see(text).to_be_focused()
    assert "ahua" not in world.inbox("me")
    while LOST in hands.wrongs:
        hands.wrongs.remove(LOST)


async def test_an_edited_text_is_another_message_also_if_the_earlier_one_has_arrived(
    hands: BrowserUser, world: World
) -> None:
    await hands.begin_chat("阿华")
    await hands.page.route("**/control/say", lose_answer, times=1)
    await write(hands, "one")
    await hands.see(hands.message("one")).to_be_visible()
    await hands.button("Edit", hands.to_send).click()
    await hands.see(hands.to_send).to_have_count(0)
    await write(hands, "one and a half")
    await hands.see(hands.message("one and a half")).to_be_visible()
    assert texts(world) == ["one", "one and a half"]
    hands.wrongs.remove(LOST)


async def test_a_text_that_is_removed_on_its_way_and_then_refused_leaves_the_next_one_alone(
    hands: BrowserUser, world: World
) -> None:
    await hands.begin_chat("阿华")
    refused = asyncio.Event()

    async def refuse_late(route: Route) -> None:
        if "one" not in (route.request.post_data or ""):
            await route.continue_()
            return
        await refused.wait()
        await route.fulfill(json={"error": "It is refused."})

    await hands.page.route("**/control/say", refuse_late)
    await write(hands, "one", "two")
    await hands.see(hands.to_send).to_have_count(2)
    await hands.button("Remove one").click()
    await hands.see(hands.to_send).to_have_count(1)
    refused.set()
    await hands.see(hands.message("two")).to_be_visible()
    await hands.see(hands.to_send).to_have_count(0)
    assert texts(world) == ["two"]


async def test_a_long_text_that_was_not_sent_comes_back_whole(hands: BrowserUser) -> None:
    await hands.begin_chat("阿华")
    await hands.page.route("**/control/say", lambda route: route.abort())
    long = "long " * 5000 + "end"
    await write(hands, long)
    await hands.see(hands.to_send).to_contain_text("The sandbox does not answer.")
    await hands.button("Edit").click()
    await hands.see(hands.page.get_by_role("textbox", name="Message")).to_have_value(long)
    hands.wrongs.remove(LOST)


async def test_a_link_whose_answer_is_lost_is_sent_once(hands: BrowserUser, world: World) -> None:
    await hands.begin_chat("阿华")
    await hands.page.route("**/control/link", lose_answer, times=1)
    await hands.button("Attach").click()
    await hands.page.get_by_role("menuitem", name="Link").click()
    form = hands.page.get_by_role("dialog", name="Link")
    await form.get_by_label("Title").fill("A page")
    await hands.button("Send", form).click()
    await hands.see(hands.page.get_by_role("alert")).to_have_text("The sandbox does not answer.")
    await hands.button("Send", form).click()
    await hands.see(form).to_have_count(0)
    assert len(world.inbox("me")["ahua"].messages) == 1
    hands.wrongs.remove(LOST)
