"""A browser can install the console as an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.test_installable import is_installable

if TYPE_CHECKING:
    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

pytestmark = pytest.mark.verify


async def test_the_console_is_installable(console: Page, gateway: ServedGateway) -> None:
    await is_installable(console, f"{gateway.url}/")
