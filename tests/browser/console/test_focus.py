"""Where the focus is after every action of the console, by keyboard: never on the page's body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.browser.console.test_workers import leases as leases
from tests.browser.network import PATIENCE

from webwx.errors import ApiError
from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.adapters.confirmation import SendToConfirm
from webwx.gateway.adapters.program import Program, StoredProgram

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
    at: str = ""
    """Label of the field that gets the focus before the text is written; empty: where the focus is."""
    left: int | None = None
    """Number of buttons with the name `on` afterwards; None: any."""


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


def asked(words: str, then: str, do: str = "", left: int | None = None) -> list[Act]:
    """Open a question, cancel it in both ways, and then do it; `left` as in `Act`."""
    return [
        Act(words, "Cancel"),
        Act("<Escape>", words),
        Act(words, "Cancel"),
        Act("Cancel", words),
        Act(words, "Cancel"),
        Act(do or words, then, left=left),
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
    "Chats": [],  # as `chats_at` has them
    "Recalled": [
        Act("Send to File Transfer Helper", "Account|Recalled|.*File Transfer Helper.*"),
    ],
    "Live events": [
        Act("Message recalled", "Close"),
        Act("<Escape>", "Message recalled.*"),
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


def chats_at(width: int) -> list[Act]:
    """
    Return the actions in the chats at a width of the window.

    In a narrow one no field gets the focus by itself, because that would open a keyboard on the screen.
    """
    is_narrow = width < 760
    field = "阿华" if is_narrow else "Message"
    return [
        Act("阿华", field),
        Act("<Enter>", "Message", typed="by Enter", at="Message"),
        Act("Send", "Message", typed="by the button"),
        Act("Recall", "You: by .*"),
        Act("Mark as read", "Mark as read"),
        Act("Search in this chat", "Search in 阿华"),
        Act("Search all chats", "Search chats and messages"),
        Act("<Escape>", "Search chats and messages"),
        Act("File Transfer Helper", "File Transfer Helper" if is_narrow else "Message"),
        Act("Send again", "You: refused.*"),
        *asked("Discard", "You: refused.*" if is_narrow else "Message"),
        Act("<Escape>", "File Transfer Helper.*"),
    ]


def control(page: Page, name: str) -> Locator:
    """Return the button, link or row with a name, in the dialog that is open, or on the page."""
    exact = re.compile(f"^{re.escape(name)}$")
    row = re.compile(f"^{re.escape(name)}")
    within = page.locator("dialog[open]").or_(page.locator("body")).last
    button, link = within.get_by_role("button", name=exact), within.get_by_role("link", name=exact)
    return button.or_(link).or_(within.get_by_role("option", name=row)).first


WIDTHS = pytest.mark.parametrize("width", [1280, 390])


@WIDTHS
@pytest.mark.usefixtures("with_notes")
async def test_the_focus_is_never_lost_by_an_action_of_the_console(
    console: Page, gateway: ServedGateway, world: World, width: int
) -> None:
    await console.set_viewport_size({"width": width, "height": 800})
    world.say("ahua", "me", "to be recalled")
    await console.get_by_text("to be recalled").first.wait_for()
    world.recall("ahua", "me")
    client = gateway.gateway.port.account(1).client
    await client.send_text("filehelper", "from a program")
    world.faults.add("ret:endpoint=webwxsendmsg,times=3,ret=1204")
    for text in ("refused", "refused, too", "refused as well"):
        with pytest.raises(ApiError):
            await client.send_text("filehelper", text)
    await walk(console, WALK | {"Chats": chats_at(width)})


@WIDTHS
async def test_the_focus_is_never_lost_by_an_action_on_events_that_were_given_up(
    console: Page, gateway: ServedGateway, world: World, width: int
) -> None:
    await console.set_viewport_size({"width": width, "height": 800})
    async with gateway.gateway.port.account(1).events.consume("bot") as consumer:
        for text in ("one", "two"):
            world.say("ahua", "me", text)
            for event in await consumer.take():
                await consumer.give_up(event.event.number, "ValueError in bot.py:7")
    again = "Deliver again"
    await walk(console, {"Health": [Act(again, again, left=1), Act(again, "Reference of the API", left=0)]})


@WIDTHS
async def test_the_focus_is_never_lost_by_an_answer_to_a_send_that_waits(
    console: Page, gateway: ServedGateway, width: int
) -> None:
    await console.set_viewport_size({"width": width, "height": 800})
    await ask_owner(gateway, "one", "two", "three")
    acts = [
        Act("assistant", "Connected programs"),
        Act("Refresh", "Refresh"),
        Act("Send it", "Send it", left=2),
        Act("Do not send it", "Do not send it|Send it", left=1),
        Act("Do not send it", "Refresh|Connected programs", left=0),
        Act("Refresh", "Refresh"),
    ]
    await walk(console, {"Connected programs": acts})


async def ask_owner(gateway: ServedGateway, *texts: str) -> None:
    """Create a program whose sends need the owner's consent, and let it ask for some texts."""
    made = await gateway.gateway.programs.create(
        StoredProgram(
            id="", name="assistant", adapter="mcp", account=1, digest="", created_at=0, options={"confirm": "phone"}
        )
    )
    client = gateway.gateway.port.account(1).client
    boss, user = await client.who("Boss"), await user_of(client)
    for number, text in enumerate(texts):
        wanted = SendToConfirm(str(number), boss.number, boss.name, is_group=False, kind="text", text=text, user=user)
        await gateway.gateway.confirmations.ask(Program(made.program, None), wanted)


@WIDTHS
@pytest.mark.usefixtures("leases")
async def test_the_focus_is_never_lost_by_an_action_on_workers(
    open_console: Callable[..., Awaitable[Page]], width: int
) -> None:
    page = await open_console(viewport={"width": width, "height": 800})
    hand_over = "Hand over accounts"
    first, second = asked(hand_over, hand_over, left=1), asked(hand_over, "Refresh|Workers", left=0)
    await walk(page, {"Workers": [Act("Refresh", "Refresh"), *first, *second]})


async def walk(page: Page, acts_of_screens: dict[str, list[Act]]) -> None:
    """Open each screen, and perform its actions, all by keyboard; the body never has the focus."""
    await page.locator(".nav-link:visible, .nav-tab:visible").first.focus()
    await page.evaluate(WATCH)
    for screen, acts in acts_of_screens.items():
        await open_by_key(page, screen)
        await see_focus(page, screen, f"{screen}: opened")
        for act in acts:
            await perform(page, act, f"{screen}: {act.on}")
    lost = await page.evaluate("window.lost")
    assert lost == []


async def open_by_key(page: Page, name: str) -> None:
    """Open a screen by its link, in a narrow window after the tab of its group."""
    link = page.get_by_role("navigation").get_by_role("link", name=name, exact=True)
    for tab in await page.locator(".nav-tab:visible").all():
        if await link.count():
            break
        await tab.press("Enter")
        await page.wait_for_function("tab => tab.hasAttribute('aria-current')", arg=await tab.element_handle())
    if await link.get_attribute("aria-current") is None:  # a tab opens a screen of its group
        await link.press("Enter")
    await page.get_by_role("heading", name=name, level=2, exact=True).wait_for()


async def perform(page: Page, act: Act, named: str) -> None:
    from playwright.async_api import expect

    await page.evaluate("named => { window.acted = named; }", named)
    if act.at:
        await page.get_by_label(act.at, exact=True).focus()
    for number, text in enumerate(act.typed.split("\t")):
        if number:
            await page.keyboard.press("Tab")
        await page.keyboard.type(text)
    if act.on.startswith("<"):
        await page.keyboard.press(act.on.strip("<>"))
    else:
        await control(page, act.on).press("Enter")
    if act.left is not None:
        await expect(page.get_by_role("button", name=act.on, exact=True)).to_have_count(act.left, timeout=PATIENCE)
    await see_focus(page, act.then, named)


async def see_focus(page: Page, wanted: str, named: str) -> None:
    """Wait until the focus is on an element whose name matches."""
    try:
        await page.wait_for_function(NAMED, arg=wanted)
    except Exception as error:
        focused = await page.evaluate("window.focused")
        raise AssertionError(f"after {named!r} the focus is on {focused!r}, not on {wanted!r}") from error
