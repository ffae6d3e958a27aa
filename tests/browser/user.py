"""
A user of the page, who acts by click and key alone, and finds elements by their accessible names.

The page is watched meanwhile: it must not call another host, break its own content policy, or log an error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.async_api import Error, Expect, expect
from tests.browser.network import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import ConsoleMessage, FilePayload, Locator, Page, Response, WebSocket

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"

expect.set_options(timeout=PATIENCE)


class BrowserUser:
    """A user of the phone page in a browser."""

    see: Expect = expect
    """Wait until an element has the expected state."""

    def __init__(self, page: Page, url: str, record: Callable[[str, str], None]) -> None:
        self.page = page
        self.url = url
        self.wrongs: list[str] = []
        """Forbidden actions of the page."""
        self._record = record
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self._check_host(request.url))
        page.on("websocket", self._watch)
        page.on("pageerror", lambda error: self.wrongs.append(f"error: {error}"))
        page.on("console", self._read)
        page.on("dialog", lambda dialog: self.wrongs.append(f"a script ran: {dialog.message}"))

    # -- watching the page -------------------------------------------------------------------------------------------

    def _check_host(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(self.url).netloc:
            self.wrongs.append(f"asked another host: {address}")

    def _watch(self, socket: WebSocket) -> None:
        self._check_host(socket.url)
        socket.on("framereceived", lambda frame: self._record_update(str(frame)))

    def _record_update(self, update: str) -> None:
        if '"kind":"logins"' not in update:  # `logins` has the ids of codes, which a phone scans.
            self._record("a message to the page", update)

    def _read(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrongs.append(f"console: {message.text}")

    # -- what the user sees ------------------------------------------------------------------------------------------

    async def open(self, path: str = "/phone") -> None:
        await self.page.goto(f"{self.url}{path}")
        await self.see(self.rail("chats")).to_be_visible()

    async def keep(self, name: str) -> None:
        """Save a screenshot of the page, and record its text in the secret scanner."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SHOTS / f"{name}.png", animations="disabled")
        self._record(f"the page {name}", await self.page.locator("body").inner_text())

    def button(self, name: str | re.Pattern[str], within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=name, exact=True)

    def rail(self, what: str) -> Locator:
        names = {
            "chats": r"^(Chats|聊天)", "contacts": r"^(Contacts|通讯录)", "phone": r"^(Phone|手机)",
            "wire": r"^(Traffic|通信)", "faults": r"^(Faults|故障)",
        }  # fmt: skip
        return self.page.locator("nav").get_by_role("button", name=re.compile(names[what]))

    def row(self, name: str) -> Locator:
        """Return the row of a chat in the list."""
        return self.page.locator(".list-pane").get_by_role("option", name=re.compile(f"^{re.escape(name)}"))

    def message(self, words: str) -> Locator:
        return self.page.get_by_role("log").get_by_role("article").filter(has_text=words)

    @property
    def to_send(self) -> Locator:
        """The files that will be sent."""
        return self.page.get_by_role("list", name="Files to send").get_by_role("listitem")

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    # -- what the user does ------------------------------------------------------------------------------------------

    async def be(self, name: str) -> None:
        """Select the phone of a person."""
        await self.page.locator("header").get_by_role("button", name=re.compile("^(Switch person|切换人物)")).click()
        await self.page.get_by_role("dialog").get_by_role("option", name=re.compile(f"^{re.escape(name)}")).click()
        await self.see(self.page.locator("header .person-name")).to_have_text(name)

    async def scan(self) -> None:
        """Scan the waiting login, and confirm it."""
        await self.rail("phone").click()
        await self.button(re.compile("^Scan with")).click()
        await self.button("Confirm").click()

    async def read_chat(self, name: str) -> None:
        await self.rail("chats").click()
        await self.row(name).click()
        await self.see(self.page.get_by_role("heading", name=name)).to_be_visible()

    async def begin_chat(self, name: str) -> None:
        """Start a chat with a person or chatroom from the contacts."""
        await self.rail("contacts").click()
        await self.page.get_by_role("option", name=name).click()
        await self.button("Send message").click()

    async def say(self, words: str) -> None:
        await self.page.get_by_role("textbox", name="Message").fill(words)
        await self.page.keyboard.press("Enter")
        await self.see(self.message(words).last).to_be_visible()

    async def attach(self, kind: str, file: FilePayload | Path) -> None:
        await self.button("Attach").click()
        async with self.page.expect_file_chooser() as chooser:
            await self.page.get_by_role("menuitem", name=kind).click()
        await (await chooser.value).set_files(file)
        await self.see(self.to_send).to_have_count(1)
        await self.button("Send").click()

    async def headers_of(self, address: str) -> dict[str, str]:
        """Open an address that is a download, and return the headers of its answer."""
        answers: list[Response] = []
        self.page.on("response", lambda answer: answers.append(answer) if answer.url == address else None)
        try:
            await self.page.goto(address)
        except Error:  # "Download is starting"
            return dict(answers[0].headers)
        raise AssertionError("it was opened as a page")

    async def recall(self, message: Locator) -> None:
        await message.hover()
        await message.get_by_role("button", name="Message actions").click()
        await self.page.get_by_role("menuitem", name="Recall").click()
