"""The screen of the health: accounts, consumers, the audit log, and the end of all sessions."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen

from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.adapters.program import StoredProgram

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Locator, Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


def account_row(page: Page) -> Locator:
    """Return the row of the account `home`."""
    return page.get_by_role("table", name="Accounts").get_by_role("row").filter(has_text="home")


async def test_the_health_counts_what_was_sent_against_the_rate_limit(console: Page, gateway: ServedGateway) -> None:
    await open_screen(console, "Health")
    meter = console.get_by_role("meter", name="Messages in a minute")
    assert await meter.get_attribute("value") == "0"
    await gateway.gateway.port.account(1).sends.send("filehelper", TextContent(text="t"))
    await button(console, "Refresh").click()
    await console.get_by_text("1 of 1000").wait_for()
    await console.get_by_text("1 sent").wait_for()
    await console.get_by_text("A message may be sent now.").wait_for()


async def test_the_health_shows_accounts_consumers_and_who_changed_what(console: Page, gateway: ServedGateway) -> None:
    key = await gateway.gateway.keys.create("grafana", ("read",))
    for number in range(25):
        await gateway.gateway.records.append_audit("console", "key.create", target=f"key-{number}", time=number)
    await open_screen(console, "Health")
    await account_row(console).get_by_text("online", exact=True).wait_for()
    await account_row(console).locator("time").nth(1).wait_for()  # of the state and of the last sync
    readers = console.get_by_role("table", name="Programs that read events")
    await readers.get_by_text("The gateway itself", exact=True).wait_for()
    log = console.get_by_role("table", name="Log of changes")
    await log.get_by_text("key-24").wait_for()
    await button(console, "Show more").focus()
    await console.keyboard.press("Enter")
    await log.get_by_text("key-0", exact=True).wait_for()
    assert key.text not in await console.content()


async def test_readers_and_changes_have_the_names_that_a_person_knows(console: Page, gateway: ServedGateway) -> None:
    program = StoredProgram(id="", name="assistant", adapter="mcp", account=1, digest="", created_at=0)
    made = (await gateway.gateway.programs.create(program)).program
    key = await gateway.gateway.keys.create("backup", ("read",))
    await gateway.gateway.records.append_audit(key.key.id, "program.change", target=made.id, time=1)
    await gateway.gateway.records.append_audit(f"program {made.id}", "mcp.send_text", target="4", time=2)
    async with gateway.gateway.port.account(1).events.consume(made.consumer):
        await open_screen(console, "Health")
        readers = console.get_by_role("table", name="Programs that read events")
        await (
            readers.get_by_role("row")
            .filter(has_text="Connected program")
            .get_by_role("link", name="assistant")
            .wait_for()
        )
    log = console.get_by_role("table", name="Log of changes").get_by_role("row")
    await log.filter(has_text="Connected program changed").filter(has_text="backup").get_by_text("assistant").wait_for()
    await log.filter(has_text="mcp.send_text").get_by_text("assistant").wait_for()
    assert made.id not in await console.locator("#screen").inner_text()


async def test_an_account_that_is_logged_out_is_shown_at_once(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    await open_screen(console, "Health")
    await account_row(console).get_by_text("online", exact=True).wait_for()
    world.log_out("me")
    await gateway.gateway.port.account(1).check()
    await account_row(console).get_by_text("logged out", exact=True).wait_for()


async def test_a_dead_letter_is_delivered_again(console: Page, gateway: ServedGateway, world: World) -> None:
    account = gateway.gateway.port.account(1)
    async with account.events.consume("bot") as consumer:
        world.say("ahua", "me", "too hard")
        for event in await consumer.take():
            await consumer.give_up(event.event.number, "ValueError in bot.py:7")
    await open_screen(console, "Health")
    letter = (
        console.get_by_role("table", name="Events that were given up").get_by_role("row").filter(has_text="ValueError")
    )
    await letter.get_by_role("button", name="Deliver again").click()
    await console.get_by_text("The event is delivered again.").wait_for()
    await letter.wait_for(state="detached")


async def test_all_sessions_end_after_a_question(console: Page, open_console: Callable[..., Awaitable[Page]]) -> None:
    other = await open_console()
    await other.get_by_text("Live", exact=True).wait_for()
    await open_screen(console, "Health")
    await button(console, "End all sessions").click()
    question = console.get_by_role("dialog", name="End the sessions of all browsers?")
    await console.keyboard.press("Enter")  # Cancel has the focus
    await question.wait_for(state="detached")
    await button(console, "End all sessions").click()
    await button(question, "End all sessions").click()
    for page in (console, other):
        await page.get_by_role("heading", name="This browser has no session").wait_for()


async def test_a_failure_is_explained_and_can_be_tried_again(console: Page) -> None:
    await console.route("**/api/v1/version", lambda route: route.abort())
    await open_screen(console, "Health")
    await console.get_by_role("alert").filter(has_text="The gateway does not answer.").wait_for()
    await console.unroute("**/api/v1/version")
    await button(console, "Try again").click()
    await console.get_by_role("heading", name="Log of changes").wait_for()


async def test_the_screen_is_chinese_and_fits_a_narrow_dark_window(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    await gateway.log_in(world)
    page = await open_console(locale="zh-CN", viewport={"width": 360, "height": 640}, color_scheme="dark")
    await page.goto(f"{gateway.url}/#/health")
    await page.get_by_role("heading", name="操作记录").wait_for()
    await page.get_by_text("最近十分钟").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_health_begins_with_a_sentence_that_says_what_to_do(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    await open_screen(console, "Health")
    await console.get_by_text("All well.").wait_for()
    world.log_out("me")
    await gateway.gateway.port.account(1).check()
    await console.get_by_text("Needs your attention").wait_for()
    await console.get_by_role("link", name="is logged out; log in again.").click()
    await console.get_by_role("heading", name="Accounts", level=2).wait_for()


async def test_a_gateway_without_a_login_leads_to_the_first_step(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway
) -> None:
    page = await open_console()
    await open_screen(page, "Health")
    await page.get_by_text("No account is logged in yet.").wait_for()
    await page.get_by_role("link", name="Add an account and log in").click()
    await page.get_by_role("heading", name="First steps", level=2).wait_for()
    await gateway.gateway.port.add_account("home")
    await open_screen(page, "Health")
    await page.get_by_text("No account is logged in yet.").wait_for()


async def waiting(client: AsyncClient) -> int:
    """Return the number of events that programs have not handled, without those of the command line."""
    return sum(each.waiting for each in await client.list_consumers() if each.name != "listen")


async def test_the_health_draws_what_arrives_is_sent_and_waits(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    account = gateway.gateway.port.account(1)
    async with account.events.consume("listen"):  # of the command line, where nothing is late
        pass
    async with account.events.consume("bot"):  # it has events to handle from now on
        world.say("ahua", "me", "one")
        world.say("ahua", "me", "two")
        await account.sends.send("filehelper", TextContent(text="three"))
        await open_screen(console, "Health")
        for course in (
            "Messages received: 2 in the last minute; lowest [0-2], highest [12]",  # the page may have begun just now
            "Messages sent: 1 in the last minute; lowest [01], highest 1",
            "Messages that wait to be sent: 0; lowest 0, highest 0",
        ):
            await console.get_by_role("img", name=re.compile(course)).wait_for()
        backlog = console.get_by_role("listitem").filter(has_text="Events that programs have not handled")
        await backlog.get_by_text(re.compile(r"^[1-9]\d*$")).wait_for()
        async with asyncio.timeout(20):
            # The gateway handles its own events meanwhile, and no event marks a reading of the page.
            while int(await backlog.locator(".chart-value").inner_text()) != await waiting(account.client):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    world.say("ahua", "me", "four")  # the charts are drawn again by themselves
    await console.get_by_role("img", name="Messages received: 3 in the last minute").wait_for()
