"""The console and the page of the phones in Chromium, with many chats and messages: times of a walk, and long tasks."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import pages
from benchmarks.case import OURS, Case, Figures, Run, World
from benchmarks.cases import gateway as gateway_cases
from benchmarks.machine import use_all_cores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Page

PATIENCE = 120_000
"""Time limit in milliseconds for an element to appear, such as the newest message after all others are stored."""


SETTLE_S = 2
"""Seconds until a browser that was started now has ended what it does at its start, which would take the cores."""


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
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.serve import serve as serve_sandbox

    world = pages.busy_world(run.world.friends)
    sandbox = await serve_sandbox(SandboxCore(world))
    try:
        async with gateway_cases.served(run.folder / "home", sandbox.url) as (gateway, port, url):
            account = await port.add_account("home")
            await account.logins.begin("qr")
            async for status in account.logins.watch():
                if status.state == "code":
                    world.scan("me")
                elif status.state == "scanned":
                    world.confirm()
            texts = pages.write(world, run.world.friends, run.case.rows)
            link = f"{url}/#code={await gateway.sessions.create_code()}"
            yield Served(f"{sandbox.url}/phone", url, link, texts)
    finally:
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
    use_all_cores()  # a browser has several processes: on one core they would lengthen each other's tasks

    async def main() -> Figures:
        async with served(run) as to, pages.chromium() as browser:
            page = await browser.new_page()
            page.set_default_timeout(PATIENCE)
            await asyncio.sleep(SETTLE_S)
            begun = time.perf_counter()
            async with pages.traced(page) as tasks:
                watched = await walk(page, to)
                seconds = time.perf_counter() - begun
            return {
                "seconds": seconds,
                **watched._asdict(),
                "longest_cpu_ms": max(task.cpu_ms for task in tasks),
            }

    return asyncio.run(main())


CASES = tuple(
    Case(
        name=name, about=f"{about} with 300 chats and 5,000 messages in Chromium", world=World(friends=pages.CHATS),
        rows=pages.MESSAGES, variants={OURS: walk},
    )
    for name, about, walk in (("page-console", "the console", console), ("page-phones", "the phones' page", phones))
)  # fmt: skip
