"""Every screen of the console passes the rules of axe, in both languages and in a narrow window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"label-content-name-mismatch": {"enabled": True}},
}
"""The rules of axe; the one named is experimental: what is shown is a part of the name for screen readers."""


@pytest.mark.parametrize(
    "how", [{"locale": "en-US"}, {"locale": "zh-CN", "viewport": {"width": 390, "height": 700}}], ids=["wide", "narrow"]
)
async def test_every_screen_passes_the_rules_of_axe(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World, how: dict[str, Any]
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.async_playwright", reason="axe is not here; `uv sync --group browser` brings it"
    ).Axe()
    await gateway.log_in(world)
    world.say("ahua", "me", "hello")
    page = await open_console(**how)
    links = page.get_by_role("navigation").get_by_role("link")
    await links.first.wait_for()
    found = []
    for link in await links.all():
        await link.click()
        name = (await link.inner_text()).strip()
        await page.get_by_role("heading", name=name, level=2, exact=True).wait_for()
        await page.locator("#screen .quiet").wait_for(state="hidden")  # it has loaded
        results = await axe.run(page, options=RULES)
        place = await page.evaluate("location.hash")
        found += [
            (place, each["id"], [(node["html"][:160], node["failureSummary"][:160]) for node in each["nodes"]])
            for each in results.response["violations"]
        ]
    assert found == []
