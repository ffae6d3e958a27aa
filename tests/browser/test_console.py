"""The gateway's console in a browser: each screen by click and key, its main task and its failure."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from webwx.client.accounts import Accounts
from webwx.gateway.app import Gateway
from webwx.gateway.config import GatewayConfig, ListenTable
from webwx.gateway.local import LocalGateway
from webwx.gateway.serve import listen, serve
from webwx.storage.account_folder import AccountFolder
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from webwx.sandbox.serve import RunningSandbox
    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


class ServedGateway:
    """A gateway on a port, with its accounts at a sandbox."""

    def __init__(self, gateway: Gateway, url: str) -> None:
        self.gateway = gateway
        self.url = url

    async def link(self) -> str:
        """Return a new link with a one-time code."""
        return f"{self.url}/#code={await self.gateway.sessions.create_code()}"


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(served: RunningSandbox, tmp_path: Path) -> AsyncIterator[ServedGateway]:
    """A gateway without accounts."""
    records = open_records(tmp_path / "gateway.db")
    port = LocalGateway(
        lambda on_state: Accounts(tmp_path, server=served.url, on_state=on_state),
        AccountFolder(tmp_path), records, server=served.url,
    )  # fmt: skip
    config = GatewayConfig(listen=ListenTable(port=0))
    gateway, listener, ready = Gateway(config, records, port, tmp_path / "files"), listen(config), asyncio.Event()
    serving = asyncio.ensure_future(serve(gateway, listener, ready.set))
    await ready.wait()
    yield ServedGateway(gateway, listener.url)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


@pytest_asyncio.fixture(loop_scope="session")
async def open_console(chromium: Any, gateway: ServedGateway) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Open the console in a browser of its own; at the end no page may have written an error."""
    opened: list[Any] = []
    wrongs: list[str] = []

    async def open_page(**how: Any) -> Any:
        context = await chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-US"} | how)
        opened.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: wrongs.append(f"error: {error}"))
        page.on("request", lambda request: wrongs.append(request.url) if gateway.url not in request.url else None)
        await page.goto(await gateway.link())
        return page

    yield open_page
    for context in opened:
        await context.close()
    assert wrongs == []


def button(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


async def log_in(page: Any, world: World) -> None:
    await page.get_by_label("Name of a new account").fill("home")
    await button(page, "Add account").click()
    await button(page, "Log in").click()
    await page.get_by_role("img", name="Login code of home").wait_for()
    world.scan("me")
    await page.get_by_text("Scanned. Confirm on the phone.").wait_for()
    world.confirm()
    await page.get_by_text("online", exact=True).wait_for()


async def test_an_account_logs_in_sends_receives_and_recalls(
    open_console: Callable[..., Awaitable[Any]], world: World
) -> None:
    page = await open_console()
    await log_in(page, world)

    await button(page, "Chats").click()
    await page.get_by_role("log", name="Messages with File Transfer Helper").wait_for()
    await page.get_by_label("Message", exact=True).fill("hello <b>phone</b>")
    await page.keyboard.press("Enter")
    sent = page.get_by_role("article").filter(has_text="hello <b>phone</b>")
    await sent.wait_for()
    await sent.get_by_role("button", name="Recall").click()
    await sent.get_by_text("recalled", exact=True).wait_for()

    world.say("me", "filehelper", "from the phone")
    await page.get_by_role("article").filter(has_text="from the phone").wait_for()
    from tests.browser.user import SHOTS  # needs Playwright

    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / "console.png", animations="disabled")


async def test_a_message_that_is_refused_is_explained(
    open_console: Callable[..., Awaitable[Any]], world: World
) -> None:
    page = await open_console()
    await log_in(page, world)
    await button(page, "Chats").click()
    await page.get_by_label("Message", exact=True).fill("x" * 40_000)
    await button(page, "Send").click()
    await page.get_by_role("alert").filter(has_text=re.compile(r"\w")).wait_for()


async def test_an_account_name_that_is_not_valid_is_explained(open_console: Callable[..., Awaitable[Any]]) -> None:
    page = await open_console()
    await page.get_by_label("Name of a new account").fill("../x")
    await button(page, "Add account").click()
    await page.get_by_role("alert").filter(has_text=re.compile(r"\w")).wait_for()


async def test_a_login_is_stopped_and_an_account_is_logged_out(
    open_console: Callable[..., Awaitable[Any]], world: World
) -> None:
    page = await open_console()
    await page.get_by_label("Name of a new account").fill("home")
    await button(page, "Add account").click()
    await button(page, "Log in").click()
    await page.get_by_role("img", name="Login code of home").wait_for()
    await button(page, "Stop").click()
    await button(page, "Log in").click()
    await page.get_by_role("img", name="Login code of home").wait_for()
    world.scan("me")
    world.confirm()
    await button(page, "Log out").click()
    await button(page, "Log out now").click()
    await page.get_by_text("logged out", exact=True).wait_for()


async def test_a_key_is_shown_once_works_and_is_deleted(
    open_console: Callable[..., Awaitable[Any]], gateway: ServedGateway
) -> None:
    page = await open_console()
    await button(page, "Keys").click()
    await page.get_by_label("Name of a new key").fill("grafana")
    await page.get_by_label("read", exact=True).check()
    await button(page, "Create key").click()
    key = await page.locator("pre.secret").inner_text()
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Authorization": f"Bearer {key}"}) as client:
        assert (await client.get("/api/v1/accounts")).status_code == 200
        await page.reload()
        await page.get_by_role("heading", name="grafana").wait_for()
        assert key not in await page.content()
        await button(page, "Delete").click()
        await button(page, "Delete grafana now").click()
        await page.get_by_text("No keys yet").wait_for()
        assert (await client.get("/api/v1/accounts")).status_code == 401


async def test_a_used_link_opens_no_session(
    open_console: Callable[..., Awaitable[Any]], gateway: ServedGateway
) -> None:
    page = await open_console()
    await page.get_by_role("heading", name="Accounts").wait_for()
    assert "code" not in page.url
    await button(page, "End session").click()
    await page.get_by_text("webwx serve pair").wait_for()
    await page.goto(f"{gateway.url}/#code=wrong")
    await page.reload()
    await page.get_by_role("heading", name="This browser has no session").wait_for()


async def test_the_console_is_chinese_in_a_chinese_browser_and_fits_a_narrow_dark_window(
    open_console: Callable[..., Awaitable[Any]], world: World
) -> None:
    page = await open_console(locale="zh-CN", viewport={"width": 360, "height": 640}, color_scheme="dark")
    await page.get_by_role("heading", name="账号").wait_for()
    await button(page, "聊天").click()
    await page.get_by_text("没有已登录的账号").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await button(page, "EN").click()
    await page.get_by_text("No account is logged in.").wait_for()
