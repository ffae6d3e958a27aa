"""The lists of both pages: what stays in a list is not made again, and keeps the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.user import BrowserUser

pytestmark = pytest.mark.verify

BEGIN = """
async () => {
  const { KeyedList } = await import("./phone/static/keyed-list.js");
  const parent = document.createElement("div");
  document.querySelector("dialog, body").append(parent);
  window.list = new KeyedList(parent);
  window.made = [];
  window.show = (keys, states = {}) => {
    const near = list.show(keys.map((key) => list.node(key, states[key], () => {
      made.push(key);
      const node = document.createElement("button");
      node.append(key);
      return node;
    })));
    return near?.map((node) => node.textContent) ?? null;
  };
  window.shown = () => [...parent.children].map((node) => node.textContent).join("");
  window.focusOn = (key) => list.get(key).focus();
  window.focused = () => document.activeElement.textContent;
}
"""


async def test_the_nodes_of_a_list_are_made_once_and_arranged_around_the_one_with_the_focus(hands: BrowserUser) -> None:
    page = hands.page
    await page.evaluate(BEGIN)
    await page.evaluate("show([...'abcde'])")
    for order in ("edcba", "caebd", "xcyaz", "c", "abc", "bcdea"):
        await page.evaluate("focusOn('c')")
        moved = await page.evaluate(
            "order => { let left = 0; list.get('c').onblur = () => { left += 1; }; show([...order]); return left; }",
            order,
        )
        assert (moved, await page.evaluate("shown()"), await page.evaluate("focused()")) == (0, order, "c")
    assert await page.evaluate("made.filter((key) => key === 'c').length") == 1


async def test_a_list_returns_what_took_the_place_of_the_node_with_the_focus(hands: BrowserUser) -> None:
    page = hands.page
    await page.evaluate(BEGIN)
    await page.evaluate("show([...'abcd'])")
    assert await page.evaluate("show([...'abcd'])") is None  # nothing in it had the focus
    await page.evaluate("focusOn('b')")
    assert await page.evaluate("show([...'bacd'])") is None  # it has the focus still
    await page.evaluate("focusOn('b')")
    assert (await page.evaluate("show([...'abcd'], {b: 'changed'})"))[0] == "b"  # made again
    await page.evaluate("focusOn('b')")
    assert await page.evaluate("show([...'acd'], {b: 'changed'})") == ["c", "d"]
    await page.evaluate("focusOn('d')")
    assert await page.evaluate("show([...'ac'])") == []
