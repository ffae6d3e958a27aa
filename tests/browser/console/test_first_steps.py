"""The first steps: from `webwx serve` to a message on the phone and a command of one's own, by keyboard only."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
from tests.browser.console.console_user import button
from tests.browser.network import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from webwx.sandbox.serve import RunningSandbox
    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

MOST_TABS = 30
"""Number of times that a user presses Tab to reach the next control, at most."""


@pytest_asyncio.fixture(loop_scope="session")
async def link(served: RunningSandbox, tmp_path: Path) -> AsyncIterator[str]:
    """The link that `webwx serve` prints when it starts without an account."""
    own = {"WEBWX_HOME": str(tmp_path), "WEBWX_SERVER": served.url, "PYTHONUTF8": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "webwx", "serve", "--port", "0", "--json",
        env=os.environ | own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield str(json.loads(await process.stdout.readline())["console"])
    finally:
        process.terminate()
        await process.communicate()


async def press_on(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, and then Enter."""
    await page.locator(selector).first.wait_for()
    for _ in range(MOST_TABS):
        if await page.locator(selector).first.evaluate("element => element === document.activeElement"):
            await page.keyboard.press("Enter")
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{selector} has no focus after {MOST_TABS} times Tab")


@pytest.mark.parametrize(
    ("how", "said", "steps"),
    [
        ({"locale": "en-US", "viewport": {"width": 1280, "height": 800}}, "Hello from my gateway", "First steps"),
        (
            {"locale": "zh-CN", "viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
            "来自网关的问候",
            "开始使用",
        ),
    ],
    ids=["english, wide", "chinese, narrow"],
)
async def test_the_first_steps_lead_from_an_empty_gateway_to_a_command_of_ones_own(
    link: str, world: World, chromium: Browser, how: dict[str, Any], said: str, steps: str
) -> None:
    context = await chromium.new_context(permissions=["clipboard-read", "clipboard-write"], **how)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    wrongs: list[str] = []
    page.on("pageerror", lambda error: wrongs.append(str(error)))
    await page.goto(link)
    place = page.get_by_role("navigation").get_by_role("link", name=steps)

    await press_on(page, ".step[aria-current] input")  # the name is filled in, so Enter adds the account
    code = page.locator(".code")
    await code.wait_for()
    # The whole code is in view, and large; the page scrolls to it after it has loaded.
    await page.wait_for_function(
        """() => {
            const code = document.querySelector(".code");
            const box = code?.getBoundingClientRect();
            const isLarge = box?.width > Math.min(innerWidth, innerHeight) * 0.65;
            return code?.naturalWidth > 0 && isLarge && box.top >= 0 && box.bottom <= innerHeight;
        }"""
    )
    world.scan("me")
    world.confirm()

    await press_on(page, ".step[aria-current] form input")
    make_key = ".step[aria-current] .is-main:not(form *)"
    await page.locator(make_key).wait_for()
    assert [message.text for message in world.inbox("me")["filehelper"].messages] == [said]

    await page.reload()  # the steps are found again where they were left
    await press_on(page, make_key)
    await page.locator("pre").wait_for()
    await page.reload()  # the key was shown once; another one replaces it
    await press_on(page, make_key)
    await press_on(page, ".copyable button")
    await page.locator(".copyable button[aria-label^='Copied'], .copyable button[aria-label^='已复制']").wait_for()
    command = str(await page.evaluate("navigator.clipboard.readText()"))
    assert page.url.partition("#")[0] in command
    key = re.findall(r"wxk_\w+", command)[0]
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as client:  # it can send, and nothing else
        assert (await client.get(re.findall(r"http\S+/api/v1", command)[0] + "/accounts")).status_code == 403
    curl = await asyncio.create_subprocess_shell(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    answer, _ = await curl.communicate()
    assert json.loads(answer)["chat"] == "filehelper"
    assert len(world.inbox("me")["filehelper"].messages) == 2

    await press_on(page, ".way")  # this step appeared when the command had come
    await page.locator("main[data-screen=receivers]").wait_for()
    assert page.url.endswith("#/receivers")
    assert await place.get_attribute("aria-current") is None
    await place.press("Enter")
    hide = page.locator("#screen .is-quiet")
    await hide.wait_for()
    assert await page.locator(".step.is-done").count() == 4
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await press_on(page, "#screen .is-quiet")
    await place.wait_for(state="hidden")
    await page.wait_for_url("**/#/chats/**")
    await page.reload()
    await page.locator("main[data-screen=chats]").wait_for()
    assert not await place.is_visible()
    await context.close()
    assert wrongs == []


async def test_an_account_whose_login_does_not_begin_is_not_added_again(
    open_console: Callable[..., Awaitable[Page]],
) -> None:
    page = await open_console()
    await page.route("**/accounts/1/login", lambda route: route.fulfill(status=503, json={"detail": "Not now."}))
    await button(page, "Add account").click()
    await page.get_by_role("alert").filter(has_text="Not now.").wait_for()
    await page.unroute("**/accounts/1/login")
    await button(page, "Show the code").click()
    await page.get_by_role("img", name="Login code of phone").wait_for()
