"""Links over the API: media and login codes without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.client.conftest import PNG
from tests.gateway.api.test_logins import LOGIN, until
from tests.gateway.api.test_messages import MESSAGES, picture

from webwx.gateway.access.auth import FREE_FAILURES
from webwx.gateway.accounts.logins import LoginStatus
from webwx.gateway.api.links import page_of

if TYPE_CHECKING:
    import pytest
    from tests.gateway.conftest import Running


async def test_a_link_to_media_opens_them_without_a_key_and_nothing_else(
    online: Running, caplog: pytest.LogCaptureFixture
) -> None:
    number = await picture(online)
    async with online.client("read:media") as client:
        made = await client.post(f"{MESSAGES}/{number}/media/link")
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        assert (await client.post(f"{MESSAGES}/99999/media/link")).status_code == 404
    url = made.json()["url"]
    caplog.clear()
    async with online.anonymous() as anyone:
        whole = await anyone.get(url)
        assert (whole.status_code, whole.content) == (200, PNG)
        assert whole.headers["content-disposition"].startswith("attachment;")
        assert whole.headers["referrer-policy"] == "no-referrer"
        part = await anyone.get(url, headers={"Range": "bytes=0-9"})
        assert (part.status_code, part.content) == (206, PNG[:10])
        assert (await anyone.get(url.replace("/m/", "/q/").rpartition("/")[0])).status_code == 404
        assert (await anyone.get(f"{MESSAGES}/{number}/media")).status_code == 401
    assert url.split("/")[4] not in "".join(record.getMessage() for record in caplog.records if "webwx" in record.name)


async def test_guessed_tokens_are_slowed_down(running: Running) -> None:
    async with running.anonymous() as guesser:
        statuses = [(await guesser.get("/m/guess/a.png")).status_code for _ in range(FREE_FAILURES + 1)]
    assert statuses == [404] * FREE_FAILURES + [429]


async def test_a_link_to_a_login_shows_its_code_for_five_minutes(running: Running) -> None:
    await running.port.add_account("default")
    async with running.client("login") as client, running.anonymous() as anyone:
        url = (await client.post(f"{LOGIN}/link")).json()["url"]
        assert "no code to scan" in (await anyone.get(url)).text
        await client.post(LOGIN, json={"method": "qr"})
        await until(client, "code")
        page = await anyone.get(url)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        assert "<svg" in page.text
        running.world.wind(301)
        assert (await anyone.get(url)).status_code == 404


def test_the_page_says_what_to_do_in_each_state() -> None:
    for state, text in (("scanned", "Confirm"), ("confirmed", "logged in"), ("failed", "no code")):
        page = page_of(LoginStatus(state=state, code="http://weixin.qq.com/x"))  # type: ignore[arg-type]  # each is a state
        assert text in page
        assert "<svg" not in page
        assert "<script" not in page
