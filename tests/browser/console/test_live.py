"""The console's connection for live events: it comes back whatever has ended it, and then nothing old is shown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def is_live(page: Page) -> None:
    await page.get_by_text("Live", exact=True).wait_for()


async def hide(page: Page, *, hidden: bool) -> None:
    """Hide the page, or show it, as a change to another tab does."""
    await page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


@pytest.mark.parametrize("path", ["/console/session", "/accounts", "/version"])
async def test_a_page_whose_first_requests_get_no_answer_begins_again(
    chromium: Browser, gateway: ServedGateway, path: str
) -> None:
    context = await chromium.new_context(locale="en-US")
    page = await context.new_page()
    failures = ["connectionrefused", "503"]

    async def answer(route: Route) -> None:
        match failures.pop() if failures else "":
            case "503":
                await route.fulfill(status=503)
            case "":
                await route.continue_()
            case reason:
                await route.abort(reason)

    await gateway.gateway.port.add_account("home")
    await page.route(f"**/api/v1{path}", answer)
    await page.goto(await gateway.link())
    await is_live(page)
    assert failures == []
    await context.close()


async def test_a_stream_that_is_never_answered_or_falls_silent_is_opened_again(
    console: Page, gateway: ServedGateway
) -> None:
    asked = []

    async def answer(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            await route.continue_()

    await console.clock.install()
    await console.route("**/api/v1/events/stream*", answer)
    await console.reload()
    await console.get_by_text("Connecting…").wait_for()
    await console.clock.fast_forward(41_000)
    await console.get_by_text("Connection lost, reconnecting…").wait_for()
    await console.clock.fast_forward(4_000)
    await is_live(console)
    assert len(asked) == 2


async def test_a_hidden_page_leaves_its_connection_to_others_and_misses_nothing(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    await open_screen(console, "Accounts")
    await console.clock.install()
    await console.reload()
    await is_live(console)
    await hide(console, hidden=True)
    await console.clock.fast_forward(31_000)
    await console.get_by_text("Connecting…", exact=True).wait_for()
    await gateway.gateway.port.label_account(1, "renamed meanwhile")
    world.say("ahua", "me", "said meanwhile")
    await console.clock.fast_forward(120_000)
    await hide(console, hidden=False)
    await is_live(console)
    await console.get_by_role("heading", name="renamed meanwhile").wait_for()
    await console.wait_for_function("() => document.title.startsWith('(1) ')")  # the message is unread
    received = "import('/console/activity.js').then(({ activity }) => activity(Date.now())[0])"
    course = await console.evaluate(received)
    assert (course["name"], course["last"]) == ("received", 0)  # it came two minutes ago
    await console.get_by_role("navigation").get_by_role("link", name="Live events").click()
    await console.get_by_role("option").filter(has_text="said meanwhile").wait_for()


async def test_a_page_that_was_opened_in_the_background_leaves_its_connection_too(console: Page) -> None:
    await console.clock.install()
    await console.add_init_script("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    await console.reload()
    await is_live(console)
    await console.clock.fast_forward(31_000)
    await console.get_by_text("Connecting…", exact=True).wait_for()
    await hide(console, hidden=False)
    await is_live(console)


async def test_a_page_that_is_hidden_for_a_moment_stays_live(console: Page) -> None:
    await console.clock.install()
    await console.reload()
    await is_live(console)
    await hide(console, hidden=True)
    await console.clock.fast_forward(20_000)
    await hide(console, hidden=False)
    await console.clock.fast_forward(11_000)  # 31 s since it was hidden, and less than the silence that breaks it
    assert await console.get_by_text("Live", exact=True).is_visible()


async def test_a_screen_that_cannot_be_loaded_is_tried_again_a_few_times_and_not_after_it_was_left(
    console: Page,
) -> None:
    asked: list[Route] = []
    failures = asyncio.Semaphore(0)

    async def fail(route: Route) -> None:
        asked.append(route)
        await failures.acquire()
        await route.abort()

    def let_fail(times: int = 1) -> None:
        for _ in range(times):
            failures.release()

    await console.clock.install()
    await console.route("**/api/v1/incoming-file-rules", fail)
    await open_screen(console, "Incoming files")
    let_fail()
    await console.get_by_text("It is tried again.").wait_for()
    let_fail(3)
    while len(asked) < 4:
        await console.clock.fast_forward(2600)  # longer than each pause
    await console.get_by_text("It is tried again.").wait_for(state="hidden")
    await console.get_by_text("This could not be loaded").wait_for()
    await console.clock.fast_forward(60_000)
    assert len(asked) == 4  # then it waits for the user
    await button(console, "Try again").click()
    let_fail()
    await console.get_by_text("It is tried again.").wait_for()
    await open_screen(console, "Webhooks")
    let_fail(4)  # the next attempt may have begun before
    count = len(asked)
    await console.clock.fast_forward(60_000)
    await open_screen(console, "Outbox")
    assert len(asked) == count <= 6
