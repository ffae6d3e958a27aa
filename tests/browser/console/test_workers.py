"""The screen of the workers: it is there in a cluster only; a worker is drained by click and by key, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.browser.console.console_user import button, open_screen
from tests.postgres import add_accounts, new_schema

from webwx.gateway.ownership.monitor import ClusterMonitor
from webwx.storage.leases import LeaseTimes
from webwx.storage.open import open_leases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.storage.leases import Leases

pytestmark = pytest.mark.verify


@pytest_asyncio.fixture(loop_scope="session")
async def leases(gateway: ServedGateway) -> AsyncIterator[Leases]:
    """The leases of two workers; the first one owns the account `work`."""
    schema = new_schema()
    opened = open_leases(schema.url, LeaseTimes(lease=600))
    await opened.workers()  # makes the tables
    add_accounts(schema, 1)
    port = gateway.gateway.port
    await port.add_account("work")
    for worker in ("one", "two"):
        await opened.join(worker, f"http://{worker}.example:8791", capacity=5)
    await opened.claim("one")
    gateway.gateway.cluster = ClusterMonitor(opened, port, {1: 1}.get)
    yield opened
    await opened.close()


async def test_workers_and_owners_are_shown_and_a_worker_is_drained(
    open_console: Callable[..., Awaitable[Page]], leases: Leases
) -> None:
    page = await open_console()
    await open_screen(page, "Workers")
    row = page.get_by_role("table", name="Workers").locator("tr[data-key=one]")
    await row.get_by_text("alive", exact=True).wait_for()
    await row.get_by_text("1 of 5").wait_for()
    await row.get_by_text("expires in").wait_for()
    await row.get_by_text("0.0 s").wait_for()
    await row.get_by_text("0 events").wait_for()
    owner = page.get_by_role("table", name="Owners of the accounts").get_by_role("row").filter(has_text="work")
    await owner.get_by_text("one", exact=True).wait_for()

    await button(row, "Hand over accounts").click()
    await page.get_by_text("The other workers take its accounts (1)").wait_for()
    await button(page, "Cancel").click()
    assert not (await leases.workers())[0].is_draining
    await button(row, "Hand over accounts").click()
    await button(page.get_by_role("dialog"), "Hand over accounts").click()
    await page.get_by_text("The worker hands its accounts over.").wait_for()
    await row.get_by_text("handing over", exact=True).wait_for()
    assert [each.is_draining for each in await leases.workers()] == [True, False]
    assert await button(row, "Hand over accounts").count() == 0


async def test_a_worker_is_drained_by_key(open_console: Callable[..., Awaitable[Page]], leases: Leases) -> None:
    page = await open_console()
    await open_screen(page, "Workers")
    row = page.get_by_role("table", name="Workers").locator("tr[data-key=two]")
    await button(row, "Hand over accounts").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("dialog").wait_for()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await row.get_by_text("handing over", exact=True).wait_for()
    assert [each.is_draining for each in await leases.workers()] == [False, True]


async def test_a_database_that_cannot_be_reached_is_shown(
    open_console: Callable[..., Awaitable[Page]], leases: Leases
) -> None:
    page = await open_console()
    await leases.close()
    await page.get_by_role("navigation").get_by_role("link", name="Workers", exact=True).click()
    await page.get_by_text("This could not be loaded").wait_for()
    await button(page, "Try again").wait_for()


async def test_a_worker_that_is_gone_is_not_drained(
    open_console: Callable[..., Awaitable[Page]], leases: Leases
) -> None:
    page = await open_console()
    await open_screen(page, "Workers")
    row = page.get_by_role("table", name="Workers").locator("tr[data-key=two]")
    await button(row, "Hand over accounts").click()
    await leases.leave("two")
    await button(page.get_by_role("dialog"), "Hand over accounts").click()
    await page.get_by_role("alert").get_by_text("There is no such worker.").wait_for()


async def test_the_screen_is_in_chinese_too(open_console: Callable[..., Awaitable[Page]], leases: Leases) -> None:
    page = await open_console(locale="zh-CN")
    await open_screen(page, "工作进程")
    await page.get_by_role("table", name="工作进程").get_by_text("正常").first.wait_for()


async def test_one_process_has_no_screen_of_workers(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway
) -> None:
    page = await open_console()
    await page.get_by_role("navigation").get_by_role("link", name="Keys", exact=True).wait_for()
    assert await page.get_by_role("link", name="Workers", exact=True).count() == 0
    await page.goto(f"{gateway.url}/#/workers")
    await page.get_by_role("heading", name="First steps", level=2).wait_for()
