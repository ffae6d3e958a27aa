"""The screen of the keys: its main task and its failure, by click and key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.browser.console.console_user import button, open_screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Locator, Page
    from tests.browser.console.console_user import ServedGateway

pytestmark = pytest.mark.verify


async def begin_key(page: Page, name: str) -> Locator:
    """Open the panel of a new key, and enter its name."""
    await button(page, "New key").click()
    panel = page.get_by_role("dialog", name="New key")
    await panel.get_by_label("Name").fill(name)
    return panel


async def test_a_key_is_shown_once_works_and_is_deleted(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway
) -> None:
    page = await open_console(viewport={"width": 390, "height": 700})
    await open_screen(page, "Keys")
    panel = await begin_key(page, "grafana")
    await panel.get_by_label("Read contacts, messages, media and what was sent").check()
    await button(panel, "Create key").click()
    made = page.get_by_role("dialog", name="The key grafana")
    secret = made.get_by_role("group", name="Key", exact=True)
    is_seen = "each => each.getBoundingClientRect().top >= 0 && each.getBoundingClientRect().bottom <= innerHeight"
    await page.wait_for_function(is_seen, arg=await secret.element_handle())
    key = await secret.inner_text()
    await button(made, "Copy: Key").wait_for()
    await made.get_by_text("/api/v1/notify").wait_for()
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Authorization": f"Bearer {key}"}) as client:
        assert (await client.get("/api/v1/accounts")).status_code == 200
        await page.reload()
        await page.get_by_text("grafana", exact=True).wait_for()
        await page.get_by_text("Read contacts, messages, media and what was sent").wait_for()
        await page.locator("td code").get_by_text("read", exact=True).wait_for()  # the name that the API has
        assert key not in await page.content()
        await button(page, "Delete").click()
        question = page.get_by_role("dialog", name="Delete grafana?")
        await question.wait_for()
        await page.keyboard.press("Escape")
        await question.wait_for(state="detached")
        await button(page, "Delete").click()
        await button(question, "Delete").click()
        await page.get_by_text("No keys yet").wait_for()
        assert (await client.get("/api/v1/accounts")).status_code == 401


async def test_a_key_can_be_bound_to_accounts_and_end_after_a_day(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway
) -> None:
    for account in ("home", "work"):
        await gateway.gateway.port.add_account(account)
    page = await open_console(timezone_id="Asia/Shanghai")
    await open_screen(page, "Keys")
    panel = await begin_key(page, "grafana")
    await panel.get_by_text("More options").click()
    await panel.get_by_role("group", name="Only these accounts").get_by_label("work", exact=True).check()
    await panel.get_by_label("Last day").fill("2999-12-31")
    await button(panel, "Create key").click()
    await button(page, "Done").click()
    row = page.get_by_role("row").filter(has_text="grafana")
    await row.get_by_role("cell", name="work", exact=True).wait_for()
    await row.get_by_text("Dec 31, 2999").wait_for()
    (key,) = await gateway.gateway.keys.find()
    assert key.accounts == (2,)
    assert key.expires_at == datetime(2999, 12, 31, 15, 59, 59, tzinfo=UTC).timestamp()
    await button(await begin_key(page, "for everything"), "Create key").click()
    await page.get_by_role("heading", name="The key for everything").wait_for()
    assert [(each.accounts, each.expires_at) for each in await gateway.gateway.keys.find() if each.id != key.id] == [
        (None, None)
    ]


async def test_the_command_that_is_shown_is_one_that_the_key_allows(
    open_console: Callable[..., Awaitable[Page]],
) -> None:
    page = await open_console()
    await open_screen(page, "Keys")
    panel = await begin_key(page, "reader")
    await panel.get_by_label("Send to File Transfer Helper only").uncheck()
    await panel.get_by_label("Read contacts, messages, media and what was sent").check()
    await button(panel, "Create key").click()
    await page.get_by_text("/api/v1/accounts").wait_for()
    assert await page.get_by_text("/api/v1/notify").count() == 0
