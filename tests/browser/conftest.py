"""
A sandbox on a port, Debian's Chromium, and a client: all in one process, so that the secret scanner knows every secret.

Playwright comes from PyPI and its browser from Debian (docs/development/tests.md); without either, tests are skipped.
"""

from __future__ import annotations

import asyncio
import io
import random
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw, ImageOps
from tests.browser.axe import checker
from tests.machine_network import steady_network as steady_network

from webwx.client.client import AsyncClient
from webwx.sandbox.clock import SystemClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.serve import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Browser, FilePayload
    from tests.browser.axe import AccessibilityChecker
    from tests.browser.user import BrowserUser
    from tests.secret_scanner import SecretScanner

    from webwx.model.messages import Event
    from webwx.sandbox.serve import RunningSandbox
    from webwx.sandbox.world import World

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""Options of a browser in a container, which may call only the page's server."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all of these tests on one loop, because they share one browser."""
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser that all tests share."""
    playwright = pytest.importorskip(
        "playwright.async_api", reason="Playwright is not here; `uv sync --group browser` brings it"
    )
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not here; Debian's package is `chromium`")
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """小明, his friends and their chatroom, with the system clock."""
    return make_world(clock=SystemClock(), rng=random.Random(2))


@pytest_asyncio.fixture(loop_scope="session")
async def served(world: World) -> AsyncIterator[RunningSandbox]:
    """The sandbox of `world` on a port."""
    served = await serve(SandboxCore(world))
    yield served
    await served.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_hands(
    chromium: Browser, served: RunningSandbox, secret_scanner: SecretScanner
) -> AsyncIterator[Callable[..., Awaitable[BrowserUser]]]:
    """
    Return a function that makes users with their own browsers; at the end it fails if one of their pages did anything
    wrong.
    """
    from tests.browser.user import BrowserUser

    made = []

    async def make(**how: Any) -> BrowserUser:
        context = await chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-US"} | how)
        hands = BrowserUser(await context.new_page(), served.url, secret_scanner.record)
        made.append((context, hands))
        await hands.open()
        return hands

    yield make
    for context, _ in made:
        await context.close()
    assert [wrong for _, hands in made for wrong in hands.wrongs] == []


@pytest_asyncio.fixture(loop_scope="session")
async def hands(new_hands: Callable[..., Awaitable[BrowserUser]]) -> BrowserUser:
    """A user with a browser."""
    return await new_hands()


class Program:
    """A client that logs in and then receives events."""

    def __init__(self, url: str) -> None:
        self.client = AsyncClient(server=url)
        self._received: asyncio.Queue[Event] = asyncio.Queue()
        self._tasks: list[asyncio.Task[Any]] = []

    def begin(self) -> asyncio.Task[Any]:
        """Ask for a login, and return a future that ends with it."""
        self._tasks.append(asyncio.create_task(self.client.login(show_qr=lambda _: None)))
        return self._tasks[-1]

    async def log_in(self, hands: BrowserUser) -> None:
        """Log in, with the phone of the given user."""
        login = self.begin()
        await hands.scan()
        await asyncio.wait_for(login, 20)
        self._tasks.append(asyncio.create_task(self._listen()))

    async def _listen(self) -> None:
        async for event in self.client.events():
            self._received.put_nowait(event)

    async def next(self, kind: type[Any]) -> Any:
        """Wait for the next event of a kind."""
        async with asyncio.timeout(20):
            while not isinstance(event := await self._received.get(), kind):
                pass
            return event

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.client.close()


@pytest_asyncio.fixture(loop_scope="session")
async def program(served: RunningSandbox) -> AsyncIterator[Program]:
    """A client that is not logged in."""
    program = Program(served.url)
    yield program
    await program.close()


@pytest.fixture
def accessibility() -> AccessibilityChecker:
    """The checker of the rules of accessibility."""
    return checker()


@pytest.fixture(scope="session")
def photo() -> FilePayload:
    """A picture to attach, in the form of a browser's file chooser."""
    drawn = io.BytesIO()
    sky = Image.linear_gradient("L").resize((480, 320))
    picture = ImageOps.colorize(sky, (44, 52, 110), (255, 196, 120), mid=(214, 110, 120))
    pencil = ImageDraw.Draw(picture)
    pencil.ellipse((250, 150, 330, 230), fill=(255, 226, 160))
    pencil.polygon(
        [(0, 320), (0, 210), (90, 150), (180, 240), (260, 190), (400, 290), (480, 250), (480, 320)], (58, 50, 92)
    )
    pencil.polygon([(0, 320), (0, 270), (120, 240), (280, 290), (380, 250), (480, 300), (480, 320)], (36, 32, 66))
    picture.save(drawn, "PNG")
    return {"name": "sunset.png", "mimeType": "image/png", "buffer": drawn.getvalue()}
