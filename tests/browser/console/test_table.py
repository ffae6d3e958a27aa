"""The tables of the console: what has not changed is not made again, so that focus, selection and opened parts stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import open_screen
from tests.browser.console.test_outbox import row, send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

KEEP = """
row => {
  window.kept = row;
  window.left = 0;
  const forget = row.querySelector(".button");
  forget.addEventListener("blur", () => { window.left += 1; });
  forget.focus();
  getSelection().selectAllChildren(row.querySelector(".clamped"));
}
"""
"""Focus the button of a row and select its text; note whether the focus leaves it."""

KEPT = """
() => [
  window.kept.isConnected,
  window.left,
  window.kept.contains(document.activeElement),
  getSelection().toString(),
]
"""

BEGIN = """
async () => {
  const { table } = await import("./console/table.js");
  const { h } = await import("./console/dom.js");
  window.drawn = [];
  window.shown = table({
    label: "letters",
    columns: [
      { title: "name", cell: ({ name }) => name },
      { title: "size", cell: ({ size }) => h("details", {}, h("summary", {}, String(size))) },
      { title: "actions", cell: (item) => h("button", { on: { click: () => drawn.push(item.secret) } }, "tell") },
    ],
    key: ({ name }) => name,
    none: () => h("p", {}, "nothing"),
  });
  document.querySelector("#screen").append(shown.element);
}
"""


async def test_a_refresh_keeps_the_rows_that_stay_with_the_focus_and_the_selection(
    console: Page, gateway: ServedGateway
) -> None:
    for text in ("one", "two"):
        await send(gateway, text)
    await open_screen(console, "Outbox")
    await row(console, "two").wait_for()
    await row(console, "one").evaluate(KEEP)
    await send(gateway, "three")
    await row(console, "three").wait_for()
    assert await console.evaluate(KEPT) == [True, 0, True, "one"]
    assert await console.locator("tbody .clamped").all_text_contents() == ["three", "two", "one"]


async def test_a_table_keeps_what_the_user_opened_and_gives_its_buttons_the_present_item(console: Page) -> None:
    await console.evaluate(BEGIN)
    await console.evaluate("shown.show([{name: 'a', size: 1, secret: 1}, {name: 'b', size: 2, secret: 2}])")
    rows = console.get_by_role("table", name="letters").locator("tbody tr")
    await rows.nth(1).locator("summary").click()
    await console.evaluate("window.before = [...document.querySelectorAll('[data-key=b] td')]")
    await console.evaluate("shown.show([{name: 'b', size: 2, secret: 3}, {name: 'a', size: 5, secret: 1}])")
    stayed = "[...document.querySelectorAll('[data-key=b] td')].map((cell, at) => cell === before[at])"
    assert await console.evaluate(stayed) == [True, True, False]  # its button knows the item of before
    assert await rows.nth(0).locator("details").get_attribute("open") is not None
    assert await rows.nth(1).locator("summary").inner_text() == "5"
    await rows.nth(0).get_by_role("button", name="tell").click()
    assert await console.evaluate("drawn") == [3]
    await console.evaluate("shown.show([])")
    await console.get_by_text("nothing", exact=True).wait_for()
    await console.evaluate("shown.show([{name: 'c', size: 1, secret: 1}])")
    assert await rows.count() == 1


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_a_long_text_leaves_the_buttons_beside_it_in_one_line(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World, locale: str, width: int
) -> None:
    await gateway.log_in(world)
    await send(gateway, "a long text, which takes all the room that it gets " * 8)
    page = await open_console(locale=locale, viewport={"width": width, "height": 800})
    await open_screen(page, "Outbox" if locale == "en-US" else "发件箱")
    await row(page, "a long text").locator(".buttons").wait_for()
    broken = await page.evaluate(
        """() => [...document.querySelectorAll(".table .button, .nav-tab:not([hidden])")]
            .filter((each) => each.getClientRects().length)
            .filter((each) => each.scrollWidth > each.clientWidth || each.offsetHeight > 44)
            .map((each) => each.textContent)"""
    )
    assert broken == []
