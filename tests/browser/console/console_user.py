"""Common actions of the tests of all screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from webwx.gateway.app import Gateway
    from webwx.sandbox.world import World


class ServedGateway:
    """A gateway on a port, whose accounts use a sandbox."""

    def __init__(self, gateway: Gateway, url: str) -> None:
        self.gateway = gateway
        self.url = url

    async def link(self) -> str:
        """Return a new link with a one-time code."""
        return f"{self.url}/#code={await self.gateway.sessions.create_code()}"

    async def log_in(self, world: World, name: str = "home", who: str = "me") -> int:
        """Log an account in with its phone, and return its number."""
        account = await self.gateway.port.add_account(name)
        await account.logins.begin("qr")
        async for status in account.logins.watch():
            match status.state:
                case "code":
                    world.scan(who)
                case "scanned":
                    world.confirm()
        assert (await account.status()).state == "online"
        return account.number


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


async def open_screen(page: Page, name: str) -> None:
    """Open a screen by its link, in a narrow window after its group, and wait until it is the current one."""
    await page.get_by_role("navigation").wait_for()
    link = page.get_by_role("navigation").get_by_role("link", name=name, exact=True)
    for group in await page.locator(".nav-tab:visible").all():
        if await link.count():
            break
        await group.click()
        await page.wait_for_function("tab => tab.hasAttribute('aria-current')", arg=await group.element_handle())
    await link.click()
    await page.get_by_role("heading", name=name, level=2, exact=True).wait_for()
    assert await link.get_attribute("aria-current") == "page"


async def see_code(page: Page, name: str) -> None:
    """Wait until the login code of an account is shown, as a picture that the browser could load."""
    code = page.get_by_role("img", name=f"Login code of {name}")
    await code.wait_for()
    await page.wait_for_function("picture => picture.naturalWidth > 0", arg=await code.element_handle())


async def add_account(page: Page, name: str) -> None:
    """Add an account on the screen of the accounts."""
    await button(page, "Add account").click()
    panel = page.get_by_role("dialog", name="New account")
    await panel.get_by_label("Name").fill(name)
    await button(panel, "Add account").click()
    await page.get_by_role("heading", name=name).wait_for()


async def log_in(page: Page, world: World) -> None:
    await add_account(page, "home")
    await button(page, "Log in").click()
    await see_code(page, "home")
    world.scan("me")
    await page.get_by_text("Scanned. Confirm on the phone.").wait_for()
    world.confirm()
    await page.get_by_text("online", exact=True).wait_for()


ENGLISH = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const { data, parentElement: element } = walker.currentNode;
    if (element.closest("[lang=en], code, pre, script") || !element.checkVisibility()) continue;
    if (/[A-Za-z]+(?:[,:]? [A-Za-z']+){2,}/.test(data)) found.push(data);
  }
  return found;
}"""


async def english_in(page: Page) -> list[str]:
    """Return the visible texts with three English words in a row, without those that the page marks as English."""
    found: list[str] = await page.evaluate(ENGLISH)
    return found
