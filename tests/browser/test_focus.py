"""Where the focus is after each action of the phones' page by keyboard: never on the page's body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.user import BrowserUser

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

FIELD, LAST, ACTIONS = "Message", "你|You: ", "Message actions"

Step = tuple[str, str, str]
"""
Name of the element that gets the focus first (empty: where it is), keys, and name of the element with the focus then.

The names are patterns; `see:TEXT` among the keys waits for a message.
"""

CONVERSATION: list[Step] = [
    ("阿华", "Enter", FIELD),
    ("", "h i Enter see:hi", FIELD),
    ("", "h o", FIELD),
    ("Send", "Enter see:ho", FIELD),
    ("Attach", "Enter", "Picture"),
    ("", "Escape", "Attach"),
    ("", "Enter ArrowUp ArrowUp ArrowUp Enter", "Name of the place"),
    ("", "Enter see:人民广场", "Attach"),
    ("", "Enter ArrowUp Enter", "Search"),
    ("", "Escape", "Attach"),
    ("Emoji", "Enter", r"\[微笑\]"),
    ("", "Escape", "Emoji"),
    ("", "Enter Enter", FIELD),
    ("", "Enter see:🙂 ArrowUp", "You: 🙂"),
    ("", "Enter", "Recall"),
    ("", "Escape", "You: 🙂"),
    ("", "Enter Enter", "You recalled a message"),
    ("", "ArrowUp", "You: Location"),
    ("", "Enter ArrowDown Enter", "Search"),
    ("", "Escape", "You: Location"),
    ("", "Enter ArrowDown ArrowDown Enter", FIELD),
    ("", "Escape ArrowUp ArrowUp", "You: Location"),
    ("", "Shift+F10 ArrowUp Enter", "Cancel"),
    ("", "Enter", "You: Location"),
    ("", "Enter ArrowUp Enter Tab Enter", "You recalled a message"),
    ("", "ArrowUp", "You: ho"),
    ("", "Enter ArrowUp ArrowUp Enter", "You: ho"),
    ("", "ArrowUp Space", "You: hi"),
    ("", "Escape", "You: hi"),
    ("Details", "Enter", "Details"),
    ("", "Escape", "Details"),
    ("", "Enter", "Details"),
    ("Pin", "Enter", "Unpin"),
    ("Remark", "Enter", "Remark"),
    ("", "H u a Enter", "Remark"),
    ("Block", "Enter", "Unblock"),
    ("Close", "Enter", "Details"),
]
"""In a conversation, from its row."""

LISTS: list[Step] = [
    ("Hua", "ContextMenu", "Unpin"),
    ("", "Enter", "Hua"),
    ("", "ContextMenu Escape", "Hua"),
    ("", "ContextMenu ArrowUp Enter", "Cancel"),
    ("", "Tab Enter", "张三"),
    ("", "Alt+2", "File Transfer Helper"),
    ("New chatroom", "Enter", "Search"),
    ("", "Escape", "New chatroom"),
    ("", "Enter ArrowDown Enter ArrowDown Enter", "张三"),
    ("Create", "Enter", FIELD),
    ("Details", "Enter", "Details"),
    ("Rename", "Enter", "Name of the chatroom"),
    ("", "x Enter", "Rename"),
    ("Leave", "Enter", "Cancel"),
    ("", "Tab Enter", "Details"),
    ("Switch person", "Enter Escape", "Switch person"),
    ("Clock of the sandbox", "Enter Enter", "Clock of the sandbox"),
]
"""In the lists, from the row of a chat."""


DEVICE: list[Step] = [
    ("", "Alt+3", "Scan a login code"),
    ("Scan with", "Enter", "Confirm"),
    ("Cancel login", "Enter", ".*"),
    ("Log out", "Enter", "Cancel"),
    ("", "Enter", "Log out"),
    ("", "Enter Tab Enter", ".*"),
    ("Phone offline", "Enter", "Phone offline"),
    ("Go online", "Enter", ".*"),
]
"""In the view of the phone, with an open login and a waiting one."""

TOOLS: list[Step] = [
    ("Traffic", "Enter", "Traffic"),
    (".*, request", "Enter", ".*request"),
    ("", "ArrowDown", ".*request"),
    ("Pause", "Enter", "Continue"),
    ("", "Enter", "Pause"),
    ("Clear", "Enter", "Clear"),
    ("Close", "Enter", "Traffic"),
    ("Faults", "Enter", "Faults"),
    ("Set", "Enter", "Set"),
    ("New seed", "Enter", "New seed"),
    ("Options of ret", "Enter", "How many times|Times"),
    ("", "3 Enter", "How many times|Times"),
    ("Switch off ret", "Enter", "Search faults"),
    ("html_page", "Enter", "html_page"),
    ("Reset", "Enter", "Reset"),
    ("Close", "Enter", "Faults"),
    ("Dark|Light", "Enter", "Dark|Light"),
    ("中文", "Enter", "EN"),
]
"""In the tools and the bar."""

NAME = """
(element) => {
  const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText;
  if (label !== undefined) return label;
  const shown = element.cloneNode(true);
  for (const each of shown.querySelectorAll("[aria-hidden=true]")) each.remove();
  return shown.textContent;
}
"""

FOCUS = f"""
(pattern) => {{
  const name = {NAME};
  const scope = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document;
  const all = scope.querySelectorAll("button, [role=option], input, select");
  const found = [...all].find((each) => each.checkVisibility() && new RegExp(pattern).test(name(each)));
  found?.focus();
  return Boolean(found);
}}
"""

IS_FOCUSED = f"""
(pattern) => document.activeElement !== document.body && new RegExp(pattern).test(({NAME})(document.activeElement))
"""


async def walk(hands: BrowserUser, steps: list[Step]) -> None:
    """Do each step, and wait until the focus is where it belongs."""
    from playwright.async_api import Error

    for start, keys, name in steps:
        if start:
            await hands.page.wait_for_function(FOCUS, arg=f"^({start})")
        for key in keys.split():
            if key.startswith("see:"):
                await hands.see(hands.log.get_by_text(key.removeprefix("see:"))).to_be_visible()
            else:
                await hands.page.keyboard.press(key)
        try:
            await hands.page.wait_for_function(IS_FOCUSED, arg=f"^({name})")
        except Error:
            at = await hands.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
            pytest.fail(f"After {keys!r} at {start or 'the same place'!r} the focus is not on {name!r} but on {at}")


async def test_the_focus_is_never_lost(hands: BrowserUser, world: World) -> None:
    world.say("张三", "me", "later")
    world.say("阿华", "me", "在吗")
    await hands.see(hands.row("阿华")).to_be_visible()
    await walk(hands, CONVERSATION)
    await walk(hands, LISTS)
    world.log_in(world.person("me"))
    world.new_code()
    await walk(hands, DEVICE)
    await walk(hands, TOOLS)
