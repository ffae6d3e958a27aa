"""The console and the page of the phones in Chromium, with many chats and messages: times of a walk, and long tasks."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import pages
from benchmarks.case import OURS, Case, Figures, Run, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Page

PATIENCE = 120_000
"""Time limit in milliseconds for an element to appear, such as the newest message after all others are stored."""


class Served(NamedTuple):
    """A sandbox and a gateway on ports of this machine, whose account has many chats and messages."""

    phones: str
    """Address of the page of the phones."""
    console: str
    """Address of the gateway."""
    link: str
    """Link that opens the console."""
    texts: tuple[str, str]
    """The first and the last text of the longest chat."""


def require_browser() -> None:
    """
    Check that there is a browser, before anything is served.

    Raises:
        RuntimeError: Chromium or Playwright is not installed.
    """
    try:
        import playwright.async_api  # noqa: F401
    except ModuleNotFoundError:
        raise RuntimeError("The cases of the pages need Playwright; run `uv sync --group browser`.") from None
    if shutil.which("chromium") is None:
        raise RuntimeError("The cases of the pages need Chromium; install Debian's package `chromium`.")


@contextlib.asynccontextmanager
async def served(run: Run) -> AsyncIterator[Served]:
    """Serve both pages from this process, once all messages are stored."""
    from webwx.client.accounts import Accounts
    from webwx.gateway.app import Gateway
    from webwx.gateway.config import GatewayConfig, LimitsTable, ListenTable
    from webwx.gateway.ownership.sole import LocalGateway
    from webwx.gateway.serve import listen, serve
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.serve import serve as serve_sandbox
    from webwx.storage.open import open_records

    world = pages.busy_world(run.world.friends)
    sandbox = await serve_sandbox(SandboxCore(world))
    home = run.folder / "home"
    records = open_records(home / "gateway.db")
    port = LocalGateway(
        lambda on_state: Accounts(home, server=sandbox.url, on_state=on_state, rate_limit=None), home, records
    )
    config = GatewayConfig(listen=ListenTable(port=0), limits=LimitsTable(requests_per_minute=0))
    gateway = Gateway(config, records, port, home / "gateway-files")
    listener, ready = listen(config), asyncio.Event()
    serving = asyncio.ensure_future(serve(gateway, listener, ready.set))
    await asyncio.wait([serving, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    try:
        account = await port.add_account("home")
        await account.logins.begin("qr")
        async for status in account.logins.watch():
            if status.state == "code":
                world.scan("me")
            elif status.state == "scanned":
                world.confirm()
        texts = pages.write(world, run.world.friends, run.case.rows)
        yield Served(
            f"{sandbox.url}/phone", listener.url, f"{listener.url}/#code={await gateway.sessions.create_code()}", texts
        )
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        await sandbox.close()


def console(run: Run) -> Figures:
    """Walk through the console."""

    async def walk(page: Page, to: Served) -> pages.Watched:
        return await pages.walk_console(page, to.link, to.console, to.texts)

    return _figures(run, walk)


def phones(run: Run) -> Figures:
    """Walk through the page of the phones."""

    async def walk(page: Page, to: Served) -> pages.Watched:
        return await pages.walk_phones(page, to.phones, to.texts)

    return _figures(run, walk)


def _figures(run: Run, walk: Callable[[Page, Served], Awaitable[pages.Watched]]) -> Figures:
    require_browser()

    async def main() -> Figures:
        async with served(run) as to, pages.chromium() as browser:
            page = await browser.new_page()
            page.set_default_timeout(PATIENCE)
            begun = time.perf_counter()
            watched = await walk(page, to)
            return {"seconds": time.perf_counter() - begun, **watched._asdict()}

    return asyncio.run(main())


CASES = tuple(
    Case(
        name=name, about=f"{about} with 300 chats and 5,000 messages in Chromium", world=World(friends=pages.CHATS),
        rows=pages.MESSAGES, variants={OURS: walk},
    )
    for name, about, walk in (("page-console", "the console", console), ("page-phones", "the phones' page", phones))
)  # fmt: skip
