"""The screen of the live events: they appear, are filtered and opened, and a lost connection is shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


def row(page: Page, words: str) -> Locator:
    return page.get_by_role("listbox", name="Live events").get_by_role("option").filter(has_text=words)


async def test_events_appear_are_filtered_and_shown_as_json(console: Page, world: World) -> None:
    await open_screen(console, "Live events")
    world.say("ahua", "me", "one")
    world.say("lilei", "me", "two")
    await row(console, "one").wait_for()
    await row(console, "two").wait_for()
    await console.get_by_role("searchbox", name="Chat or author").fill("阿华")
    await row(console, "two").wait_for(state="detached")
    await console.get_by_role("searchbox", name="Chat or author").fill("")
    await console.get_by_role("searchbox", name="Type").fill("account.*")
    await console.get_by_text("No event fits the filter").wait_for()
    await console.get_by_role("searchbox", name="Type").fill("sticker")
    await console.get_by_text("No event fits the filter").wait_for()
    await console.get_by_role("searchbox", name="Type").fill("Text")  # a part of the name, or of the identifier
    await row(console, "one").focus()
    await console.keyboard.press("Enter")
    shown = console.get_by_role("dialog", name="Event Text")
    event = json.loads(await shown.locator("pre").inner_text())
    assert (event["type"], event["data"]["text"], event["chat_name"]) == ("message.text", "one", "阿华")
    await console.keyboard.press("Escape")
    await shown.wait_for(state="detached")
    await console.get_by_label("Account").select_option("home · 小明")
    await row(console, "two").wait_for()


async def test_a_paused_list_counts_new_events(console: Page, world: World) -> None:
    await open_screen(console, "Live events")
    world.say("ahua", "me", "before")
    await row(console, "before").wait_for()
    await button(console, "Pause").click()
    world.say("ahua", "me", "meanwhile")
    await console.get_by_text(re.compile("Paused; [1-9]")).wait_for()
    assert await row(console, "meanwhile").count() == 0
    await button(console, "Go on").click()
    await row(console, "meanwhile").wait_for()
    await button(console, "Clear").click()
    await console.get_by_text("No events yet").wait_for()


async def test_a_lost_connection_is_shown_and_continues_after_the_last_event(console: Page, world: World) -> None:
    await open_screen(console, "Live events")
    world.say("ahua", "me", "before")
    await row(console, "before").wait_for()
    await console.route("**/events/stream*", lambda route: route.abort())
    await console.evaluate("import('/console/live.js').then(({ live }) => live.connect())")
    await console.get_by_role("alert").filter(has_text="The connection to the gateway is lost").wait_for()
    await console.get_by_text("Connection lost, reconnecting…").wait_for()
    world.say("ahua", "me", "meanwhile")
    await console.unroute("**/events/stream*")
    await row(console, "meanwhile").wait_for()
    await console.get_by_text("Live", exact=True).wait_for()
    assert await row(console, "before").count() == 1


async def test_events_that_were_deleted_before_they_were_read_leave_a_visible_gap(console: Page) -> None:
    await open_screen(console, "Live events")
    await console.route(
        "**/events/stream*",
        lambda route: route.fulfill(
            content_type="text/event-stream", body='event: reset\ndata: {"cursor": "no longer valid"}\n\n'
        ),
    )
    await console.evaluate("import('/console/live.js').then(({ live }) => live.connect())")
    await row(console, "there is a gap here").first.wait_for()
    await console.unroute("**/events/stream*")
    await console.get_by_text("Live", exact=True).wait_for()
