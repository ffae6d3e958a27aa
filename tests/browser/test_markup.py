"""User input never becomes markup, and media never become pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Program
    from tests.browser.user import BrowserUser

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

MARKUP = "<img src=x onerror=\"alert('markup')\">"

SVG = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><script>alert('markup')</script></svg>"
HTML = b"<!doctype html><title>page</title><script>alert('markup')</script>"


@pytest.fixture
def world(world: World) -> World:
    """A world in which every name is markup."""
    world.add_person(f"{MARKUP} nick", "mallory")
    world.befriend("xiaoming", "mallory")
    world.befriend("mallory", "xiaoming")
    world.befriend("xiaoming", "lilei", remark=f"{MARKUP} remark")
    world.add_chatroom(f"{MARKUP} room", ["mallory", "xiaoming", "lilei"], "markup")
    world.say("mallory", "markup", f"{MARKUP} in a chatroom")
    world.say("lilei", "me", f"{MARKUP} of a remark")
    return world


async def test_markup_is_shown_as_text_in_every_field(hands: BrowserUser, program: Program) -> None:
    await program.log_in(hands)
    await hands.rail("chats").click()
    for name, words in (("remark", "of a remark"), ("room", "in a chatroom")):
        await hands.row(f"{MARKUP} {name}").click()
        await hands.see(hands.page.get_by_role("heading", name=f"{MARKUP} {name}")).to_be_visible()
        await hands.see(hands.message(f"{MARKUP} {words}")).to_be_visible()
    await hands.see(hands.log.get_by_text(f"{MARKUP} nick")).to_be_visible()
    await hands.say(f"{MARKUP} typed")
    await hands.rail("contacts").click()
    await hands.see(hands.page.get_by_role("option", name=f"{MARKUP} remark").first).to_be_visible()
    await hands.be(f"{MARKUP} nick")

    await program.client.send_text("阿华", f"{MARKUP} of a client")
    await hands.rail("wire").click()
    await hands.page.get_by_label("Any call").select_option("webwxsendmsg")
    await hands.page.locator(".exchange-toggle").click()
    await hands.see(hands.page.locator(".exchange pre").first).to_contain_text("<img src=x onerror=")
    await hands.rail("faults").click()
    await hands.page.get_by_role("searchbox", name="Search faults").fill(MARKUP)
    await hands.keep("markup")
    assert await hands.page.locator("img[src='x'], [onerror]").count() == 0


@pytest.mark.parametrize(
    ("kind", "name", "type_", "content"),
    [
        pytest.param("Picture", "a.svg", "image/svg+xml", SVG, id="SVG as a picture"),
        pytest.param("File", f"{MARKUP}.svg", "image/svg+xml", SVG, id="SVG as a file"),
        pytest.param("File", f"{MARKUP}.html", "text/html", HTML, id="HTML as a file"),
        pytest.param("Sticker", "a.svg", "image/svg+xml", SVG, id="SVG as a sticker"),
    ],
)
async def test_media_with_a_script_are_downloaded_and_not_shown(
    hands: BrowserUser, kind: str, name: str, type_: str, content: bytes
) -> None:
    await hands.rail("chats").click()
    await hands.row(f"{MARKUP} remark").click()
    await hands.attach(kind, {"name": name, "mimeType": type_, "buffer": content})
    link = hands.log.get_by_role("article").last.get_by_role("link")
    await hands.see(link).to_be_visible()
    if kind == "File":
        await hands.see(link).to_contain_text(name)
    async with hands.page.expect_download() as saving:
        await link.click()
    assert await (await saving.value).failure() is None

    headers = await hands.headers_of(await link.get_attribute("href") or "")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
