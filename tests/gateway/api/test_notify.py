"""A send by one line of curl."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.gateway.api.notify import text_of
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

FORM = "application/x-www-form-urlencoded"


async def test_a_text_of_curl_arrives_at_file_transfer_helper(online: Running) -> None:
    async with online.client("send:filehelper") as client:
        answer = await client.post("/api/v1/notify", content="backup finished", headers={"Content-Type": FORM})

    assert answer.status_code == 201
    assert online.world.inbox("me")["filehelper"].messages[-1].text == "backup finished"


async def test_a_text_with_a_key_is_sent_once(online: Running) -> None:
    async with online.client("send") as client:
        for _ in range(2):
            answer = await client.post("/api/v1/notify", json={"text": "once"}, headers={"Idempotency-Key": "1"})
            assert answer.status_code == 201
        later = await client.post("/api/v1/notify", content="later", headers={"Prefer": "respond-async"})
        assert later.status_code == 202

    assert [message.text for message in online.world.inbox("me")["filehelper"].messages].count("once") == 1


async def test_the_account_is_named_if_the_key_reaches_several(online: Running) -> None:
    async with online.client("send") as client:
        await online.port.add_account("second")
        unnamed = await client.post("/api/v1/notify", content="a")
        assert (unnamed.status_code, unnamed.json()["code"]) == (404, "not-found")
        assert (await client.post("/api/v1/notify?account=default", content="a")).status_code == 201
        assert (await client.post("/api/v1/notify?account=absent", content="a")).status_code == 404
    async with online.client("send", accounts=(1,)) as client:
        assert (await client.post("/api/v1/notify", content="a")).status_code == 201
        assert (await client.post("/api/v1/notify?account=second", content="a")).status_code == 404


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"plain & simple = text", "text/plain; charset=utf-8", "plain & simple = text"),
        (b"plain", "", "plain"),
        ("100 % 完成".encode(), FORM, "100 % 完成"),
        (b"title=Backup&text=done+at+5", FORM, "Backup\n\ndone at 5"),
        (b'{"title": "Backup", "message": "done"}', "application/json", "Backup\n\ndone"),
        (b'{"body": "done"}', "application/json", "done"),
        (b'{"title": "Backup"}', "application/json", "Backup"),
        (b"{}", "application/json", ""),
    ],
)
def test_the_text_of_a_body(body: bytes, content_type: str, text: str) -> None:
    assert text_of(body, content_type) == text


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"\xff", "text/plain", "bad-request"),
        (b"[1]", "application/json", "bad-request"),
        (b"<a/>", "application/xml", "unsupported-media-type"),
    ],
)
def test_an_invalid_body_is_refused(body: bytes, content_type: str, code: str) -> None:
    with pytest.raises(GatewayProblem) as refused:
        text_of(body, content_type)
    assert refused.value.code == code
