"""A gateway that a proxy serves below a path of its name, whether the proxy keeps the path or removes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.browser.conftest import ARGUMENTS
from tests.journeys.served import NAME, PATIENCE, below_a_path, log_in, program, sandbox_below_a_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page
    from tests.journeys.served import Certificate, User


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a browser that finds the proxy under the gateway's name, with the answers that were errors."""
    playwright = pytest.importorskip("playwright.sync_api", reason="`uv sync --group browser` brings Playwright")
    arguments = [*ARGUMENTS, f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program("chromium"), args=arguments)
        context = browser.new_context(locale="en-US", ignore_https_errors=True)
        context.set_default_timeout(PATIENCE * 1000)
        yield context.new_page()
        browser.close()


@pytest.mark.parametrize("proxy", ["caddy", "haproxy", "nginx"])
def test_pages_streams_media_and_links_work_below_a_path(
    user: User, certificate: Certificate, page: Page, tmp_path: Path, proxy: str
) -> None:
    log_in(user)
    with below_a_path(user, certificate, proxy) as served:
        failed: list[str] = []
        page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
        paired = user.run("serve", "pair").stdout.strip()
        assert f"https://{NAME}/wx/#code=" in paired
        page.goto(f"{served.url}#{paired.rpartition('#')[2]}")  # it is redirected to the page below /wx/
        page.get_by_text("Live", exact=True).wait_for()
        page.reload()
        page.get_by_text("Live", exact=True).wait_for()

        Image.new("RGB", (64, 48), (200, 90, 40)).save(tmp_path / "sunset.png")
        assert user.run("phone", "picture", "阿华", "me", str(tmp_path / "sunset.png")).code == 0
        page.get_by_role("navigation").get_by_role("link", name="Chats", exact=True).click()
        page.get_by_role("listbox", name="Chats").get_by_role("option", name="阿华").click()
        log = page.get_by_role("log", name="Messages with 阿华")
        show(page, log.get_by_role("img").first)
        user.sandbox.say("阿华", "xiaoming", "from the phone")
        log.get_by_text("from the phone", exact=True).wait_for()

        page.get_by_role("navigation").get_by_role("link", name="Accounts", exact=True).click()
        page.get_by_role("button", name="Add account", exact=True).click()
        page.get_by_role("dialog").get_by_label("Name").fill("home")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="home").wait_for()
        page.get_by_role("navigation").get_by_role("link", name="Keys", exact=True).click()
        page.get_by_role("button", name="New key", exact=True).click()
        page.get_by_role("dialog").get_by_label("Name").fill("script")
        page.keyboard.press("Enter")
        page.get_by_text(f"{served.url}/api/v1/notify").wait_for()
        assert failed == []

        event = next(each for each in served.get("/events?types=message.image")["events"])
        link = served.post(f"/accounts/1/messages/{event['number']}/media/link", {})
        assert link["url"].startswith(f"{served.url}/m/")
        assert served.curl(link["url"].removeprefix(served.url), "--output", tmp_path / "media").status == 200


def test_login_codes_are_shown_below_a_path(
    new_user: Callable[..., User], certificate: Certificate, page: Page
) -> None:
    user = new_user(confirms=False)
    with user.start("login", "--account", "work") as process:
        while "confirm there" not in process.stderr.readline():
            pass
        user.sandbox.control("scan", who="xiaoming")
        user.sandbox.control("confirm", uuid="")
        assert process.wait(PATIENCE) == 0
    with below_a_path(user, certificate, "nginx") as served, sandbox_below_a_path(user, certificate) as phones:
        failed: list[str] = []
        page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
        paired = user.run("serve", "pair").stdout.strip()
        page.goto(f"{served.url}/#{paired.rpartition('#')[2]}")
        page.get_by_role("navigation").get_by_role("link", name="Accounts", exact=True).click()
        page.get_by_role("button", name="Add account", exact=True).click()
        page.get_by_role("dialog").get_by_label("Name").fill("home")
        page.keyboard.press("Enter")
        account = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="home", exact=True))
        account.get_by_role("button", name="Log in", exact=True).click()
        show(page, account.get_by_role("img", name="Login code of home"))

        page.goto(f"{phones}/phone/#xiaoming/device")  # it is redirected to the address without a slash
        show(page, page.get_by_role("img", name="QR code of the login"))
        user.write("from the phone")
        page.wait_for_function("() => document.body.innerText.includes('from the phone')")
        assert failed == []


def show(page: Page, picture: Locator) -> None:
    """Wait until a picture is shown."""
    picture.wait_for()
    page.wait_for_function("picture => picture.naturalWidth > 0", arg=picture.element_handle())
