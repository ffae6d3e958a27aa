"""Where the focus is after every action of the console, by keyboard: never on the page's body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.gateway.adapters.toy import build, importable

from webwx.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.async_api import Locator, Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

WATCH = """
() => {
  window.lost = [];
  const look = () => {
    if (document.activeElement === document.body) window.lost.push(window.acted);
    requestAnimationFrame(look);
  };
  look();
}
"""
"""Note each frame in which the body has the focus, with the action before it."""

NAMED = """
(wanted) => {
  const element = document.activeElement;
  const label = element.labels?.[0]?.textContent;
  window.focused = `${element.getAttribute("aria-label") ?? label ?? element.textContent}`.trim();
  return element !== document.body && new RegExp(`^(?:${wanted})$`).test(window.focused);
}
"""
"""Whether the focus is on an element with a name that matches."""


class Act(NamedTuple):
    """An action by keyboard, and the focus after it."""

    on: str
    """Name of the control that is activated with Enter; in `<>`: the key that is pressed where the focus is."""
    then: str
    """Pattern of the name of the element that has the focus afterwards."""
    typed: str = ""
    """Text to write where the focus is, before the action."""


def created(new: str, panel: str, create: str, name: str) -> list[Act]:
    """Open a panel, close it, get its refusal, create something, and close what is shown once."""
    return [
        Act(new, panel),
        Act("<Escape>", new),
        Act(new, panel),
        Act("Cancel", new),
        Act(new, panel),
        Act(create, panel),  # refused: the name is missing
        Act(create, "Done", typed=name),
        Act("Done", new),
    ]


def asked(words: str, then: str, do: str = "") -> list[Act]:
    """Open a question, cancel it in both ways, and then do it."""
    return [
        Act(words, "Cancel"),
        Act("<Escape>", words),
        Act(words, "Cancel"),
        Act("Cancel", words),
        Act(words, "Cancel"),
        Act(do or words, then),
    ]


WALK: dict[str, list[Act]] = {
    "Keys": [
        *created("New key", "Name", "Create key", "backup"),
        *asked("Delete", "New key|Keys"),
    ],
    "Webhooks": [
        *created("New webhook", "Name", "Create webhook", "n8n\thttps://hooks.example.com/in"),
        Act("n8n", "Webhooks"),
        Act("Edit", "Name"),
        Act("<Escape>", "Edit"),
        Act("Edit", "Name"),
        Act("Save", "Edit", typed="2"),
        Act("Disable", "Enable"),
        Act("Enable", "Disable"),
        Act("Send a test", "Send a test"),
        Act("Send a period again", "From"),
        Act("<Escape>", "Send a period again"),
        *asked("Replace secret", "Done"),
        Act("Done", "Replace secret"),
        *asked("Delete", "Webhooks"),
    ],
    "Notifications": [
        *created("New address", "Name", "Create address", "alerts"),
        Act("Send a test", "Send a test"),
        Act("Test it", "Test it"),
        Act("alerts", "Notifications"),
        Act("Send a test", "Send a test"),
        Act("Edit", "Name"),
        Act("Save", "Edit|Send a test", typed="2"),
        *asked("Replace address", "Done"),
        Act("Done", "Replace address"),
        *asked("Delete", "Notifications"),
    ],
    "Connected programs": [
        *created("New program", "Name", "Create program", "notebook"),
        Act("notebook", "Connected programs"),
        Act("Switch off", "Switch on"),
        Act("Switch on", "Switch off"),
        Act("Edit", "Name"),
        Act("Save", "Edit|Switch off", typed="2"),
        *asked("Replace token", "Done"),
        Act("Done", "Replace token"),
        *asked("Delete", "Connected programs"),
    ],
    "Incoming files": [
        Act("New rule", "Name"),
        Act("<Escape>", "New rule"),
        Act("New rule", "Name"),
        Act("Create rule", "Name"),
        Act("Create rule", "Incoming files", typed="scans"),
        Act("Edit", "Name"),
        Act("Save", "Edit", typed="2"),
        Act("Disable", "Enable"),
        Act("Enable", "Disable"),
        *asked("Delete", "Incoming files"),
    ],
    "Chats": [
        Act("阿华", "Message"),
        Act("<Enter>", "Message", typed="by Enter"),
        Act("Send", "Message", typed="by the button"),
        Act("Recall", "You: by .*"),
        Act("Mark as read", "Mark as read"),
        Act("Search in this chat", "Search in 阿华"),
        Act("Search all chats", "Search chats and messages"),
        Act("<Escape>", "Search chats and messages"),
        Act("File Transfer Helper", "Message"),
        Act("Send again", "You: refused.*"),
        *asked("Discard", "Message"),
        Act("<Escape>", "File Transfer Helper.*"),
    ],
    "Recalled": [
        Act("Send to File Transfer Helper", "Account|Recalled|.*File Transfer Helper.*"),
    ],
    "Live events": [
        Act("message.recalled", "Close"),
        Act("<Escape>", "message.recalled.*"),
        Act("Pause", "Go on"),
        Act("Go on", "Pause"),
        Act("Clear", "Clear|Live events"),
    ],
    "Outbox": [
        Act("Refresh", "Refresh"),
        Act("Send again", "Cancel"),
        Act("<Escape>", "Send again"),
        *asked("Forget", "Forget|Send again|Outbox|Refresh|Account"),
    ],
    "Health": [
        Act("Refresh", "Refresh"),
        Act("End all sessions", "Cancel"),
        Act("<Escape>", "End all sessions"),
        Act("中文", "EN"),
        Act("EN", "中文"),
        Act("Dark", "Light"),
        Act("Light", "Dark"),
    ],
    "Accounts": [
        Act("Add account", "Name"),
        Act("<Escape>", "Add account"),
        Act("Add account", "Name"),
        Act("<Enter>", "Name"),  # refused: the name is missing
        Act("<Enter>", "Name", typed="../x"),  # refused by the gateway
        Act("<Escape>", "Add account"),
        Act("Add account", "Name"),
        Act("<Enter>", "Log in", typed="work"),
        Act("Log in", "Stop|Settings"),
        Act("Stop", "Log in|Settings"),
        Act("Settings", "Name to show"),
        Act("Save", "Settings", typed="mine"),
        *asked("Log out", "Log in"),
    ],
}


@pytest.fixture
def with_notes(gateway: ServedGateway, tmp_path: Path) -> Iterator[None]:
    """Add the adapter of the documentation to the gateway."""
    folder = tmp_path / "toy"
    folder.mkdir()
    with importable(folder):
        gateway.gateway.programs.entries = build(folder)
        yield


def control(page: Page, name: str) -> Locator:
    """Return the button, link or row with a name, in the dialog that is open, or on the page."""
    exact = re.compile(f"^{re.escape(name)}$")
    row = re.compile(f"^{re.escape(name)}")
    within = page.locator("dialog[open]").or_(page.locator("body")).last
    button, link = within.get_by_role("button", name=exact), within.get_by_role("link", name=exact)
    return button.or_(link).or_(within.get_by_role("option", name=row)).first


@pytest.mark.usefixtures("with_notes")
async def test_the_focus_is_never_lost_by_an_action_of_the_console(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    world.say("ahua", "me", "to be recalled")
    await console.get_by_text("to be recalled").first.wait_for()
    world.recall("ahua", "me")
    client = gateway.gateway.port.account(1).client
    await client.send_text("filehelper", "from a program")
    world.faults.add("ret:endpoint=webwxsendmsg,times=3,ret=1204")
    for text in ("refused", "refused, too", "refused as well"):
        with pytest.raises(ApiError):
            await client.send_text("filehelper", text)
    await console.locator(".nav-link:visible").first.focus()
    await console.evaluate(WATCH)
    for screen, acts in WALK.items():
        link = console.get_by_role("navigation").get_by_role("link", name=screen, exact=True)
        await link.press("Enter")
        await console.get_by_role("heading", name=screen, level=2, exact=True).wait_for()
        await see_focus(console, screen, f"{screen}: opened")
        for act in acts:
            await perform(console, act, f"{screen}: {act.on}")
    lost = await console.evaluate("window.lost")
    assert lost == []


async def perform(page: Page, act: Act, named: str) -> None:
    await page.evaluate("named => { window.acted = named; }", named)
    for number, text in enumerate(act.typed.split("\t")):
        if number:
            await page.keyboard.press("Tab")
        await page.keyboard.type(text)
    if act.on.startswith("<"):
        await page.keyboard.press(act.on.strip("<>"))
    else:
        await control(page, act.on).press("Enter")
    await see_focus(page, act.then, named)


async def see_focus(page: Page, wanted: str, named: str) -> None:
    """Wait until the focus is on an element whose name matches."""
    try:
        await page.wait_for_function(NAMED, arg=wanted)
    except Exception as error:
        focused = await page.evaluate("window.focused")
        raise AssertionError(f"after {named!r} the focus is on {focused!r}, not on {wanted!r}") from error
