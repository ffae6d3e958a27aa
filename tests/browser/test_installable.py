"""A browser can install both pages as apps: the manifest, its address and its icon are right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Page
    from tests.browser.user import BrowserUser

pytestmark = pytest.mark.verify

NOT_IN_TESTS = {"in-incognito"}
"""The reason that a browser gives for each page of a test, because its context keeps nothing."""


async def is_installable(page: Page, start: str) -> None:
    """Check what the browser says about installing a page."""
    browser = await page.context.new_cdp_session(page)
    told = await browser.send("Page.getAppManifest")
    assert told["errors"] == []
    manifest = json.loads(told["data"])
    assert manifest["display"] == "standalone"
    assert "id" not in manifest  # it would be relative to the host: servers below two paths would be one app
    app = await browser.send("Page.getAppId")
    assert app["appId"] == start
    reasons = await browser.send("Page.getInstallabilityErrors")
    assert {each["errorId"] for each in reasons["installabilityErrors"]} <= NOT_IN_TESTS


async def test_the_page_of_the_phones_is_installable(hands: BrowserUser) -> None:
    await is_installable(hands.page, f"{hands.url}/phone")
