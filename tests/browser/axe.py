"""The rules of accessibility that every screen of both pages passes, checked by axe in both themes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Page

ONLY_BROKEN: dict[str, Any] = {"resultTypes": ["violations"]}
"""Leaves out what passes: to describe each element of a page takes longer than to check it."""

RULES = ONLY_BROKEN | {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"label-content-name-mismatch": {"enabled": True}},
}
"""The rules of axe; the one named is experimental: what is shown is a part of the name for screen readers."""

OF_THEMES = ONLY_BROKEN | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""The rule whose result another theme can change."""

RUN = "([within, rules]) => axe.run(within ?? document, rules).then(({ violations }) => violations)"
"""Runs axe in a page, or in the part that a selector finds, and returns what breaks a rule."""


class AccessibilityChecker:
    """
    Checks pages, and collects what breaks a rule.

    Args:
        axe: The script of axe.
    """

    def __init__(self, axe: str) -> None:
        self._axe = axe
        self.found: list[tuple[str, str, list[tuple[str, str]]]] = []
        """Of each broken rule the place, the name, and the elements with the reasons."""

    async def check(self, page: Page, place: str, within: str | None = None) -> None:
        """Check a page, or the part that a selector finds, in a light and in a dark theme."""
        for theme, rules in (("light", RULES), ("dark", OF_THEMES)):
            await page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
            if not await page.evaluate("'axe' in window"):  # a script of half a megabyte: once for each document
                await page.evaluate(self._axe)
            broken = await page.evaluate(RUN, [within, rules])
            self.found += [(f"{place}, {theme}", each["id"], _elements(each)) for each in broken]
        await page.emulate_media(color_scheme="light")


def _elements(violation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(node["html"][:160], node["failureSummary"][:160]) for node in violation["nodes"]]


def checker() -> AccessibilityChecker:
    """Return a new checker, or skip the test if axe is not installed."""
    module = pytest.importorskip(
        "axe_playwright_python.base", reason="axe is not here; `uv sync --group browser` brings it"
    )
    return AccessibilityChecker(module.AXE_SCRIPT)
