"""The console in two tabs of one browser, beside the console of a second gateway of the same machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.conftest import ARGUMENTS
from tests.journeys.served import PATIENCE, gateway, log_in, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Locator, Page
    from tests.journeys.served import User

MILLISECONDS = PATIENCE * 1000


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    """A browser with one profile, in which pages share cookies."""
    playwright = pytest.importorskip("playwright.sync_api", reason="`uv sync --group browser` brings Playwright")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        context = opened.new_context(locale="en-US", viewport={"width": 1280, "height": 800})
        context.set_default_timeout(MILLISECONDS)
        yield context
        opened.close()


def pairing_code(user: User) -> str:
    """Return the code of a new link to the console."""
    done = user.run("serve", "pair")
    assert done.code == 0, done
    return done.stdout.strip().rpartition("#")[2]


def open_chat(page: Page) -> Locator:
    """Open File Transfer Helper, and return its messages."""
    page.get_by_role("navigation").get_by_role("link", name="Chats", exact=True).click()
    page.get_by_role("listbox", name="Chats").get_by_role("option", name="File Transfer Helper").click()
    return page.get_by_role("log", name="Messages with File Transfer Helper")


def test_two_tabs_show_the_same_chat_live_and_a_reload_keeps_the_session(user: User, browser: BrowserContext) -> None:
    log_in(user)
    with gateway(user) as served:
        served.wait_until_online()
        user.write("before the tabs")
        first = browser.new_page()
        first.goto(f"{served.url}/#{pairing_code(user)}")
        shown = [open_chat(first)]
        second = browser.new_page()
        second.goto(served.url)
        shown.append(open_chat(second))

        user.write("from the phone")
        for log in shown:
            log.get_by_text("from the phone", exact=True).wait_for()

        field = second.get_by_role("textbox", name="Message", exact=True)
        field.fill("from the second tab")
        field.press("Enter")
        for log in shown:
            log.get_by_text("from the second tab", exact=True).wait_for()
        assert served.curl("/api/v1/notify", "--data", "from a program").status == 201
        for log in shown:
            log.get_by_text("from a program", exact=True).wait_for()

        first.reload()
        open_chat(first).get_by_text("from the second tab", exact=True).wait_for()


def test_consoles_of_two_gateways_do_not_end_each_others_sessions(
    new_user: Callable[[], User], browser: BrowserContext
) -> None:
    one, other = new_user(), new_user()
    for user in (one, other):
        log_in(user)
    with gateway(one) as first, gateway(other) as second:
        pages = []
        for user, served in ((one, first), (other, second)):
            page = browser.new_page()
            page.goto(f"{served.url}/#{pairing_code(user)}")
            page.get_by_role("heading", name="Chats").wait_for(state="attached")
            pages.append(page)
        for page in pages:
            page.reload()
            page.get_by_role("heading", name="Chats").wait_for(state="attached")


def test_the_session_of_the_console_is_in_no_cookie_which_other_ports_of_the_machine_would_get(
    user: User, browser: BrowserContext
) -> None:
    log_in(user)
    with gateway(user) as served:
        page = browser.new_page()
        page.goto(f"{served.url}/#{pairing_code(user)}")
        page.get_by_role("heading", name="Chats").wait_for(state="attached")
        assert browser.cookies() == []
