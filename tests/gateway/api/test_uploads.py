"""Files over the API: uploaded, sent once, by their caller only."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import PNG

from webwx.gateway.api.uploads import digest_of
from webwx.gateway.config import GatewayConfig, LimitsTable
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from tests.gateway.conftest import Running, StartGateway

MESSAGES = "/api/v1/accounts/1/messages"


async def test_an_uploaded_picture_is_sent(online: Running) -> None:
    digest = base64.b64encode(hashlib.sha256(PNG).digest()).decode()
    async with online.client("send") as client:
        uploaded = await client.post(
            "/api/v1/uploads?name=cat.png", content=PNG, headers={"Content-Digest": f"sha-256=:{digest}:"}
        )
        assert uploaded.status_code == 201
        upload = uploaded.json()
        assert (upload["name"], upload["bytes"], upload["kind"]) == ("cat.png", len(PNG), "image")
        file = {"upload_id": upload["upload_id"]}
        headers = {"Idempotency-Key": "cat"}
        for _ in range(2):
            sent = await client.post(MESSAGES, json={"to": "filehelper", "file": file}, headers=headers)
            assert (sent.status_code, sent.json()["state"]) == (201, "sent")
        other = await client.post(MESSAGES, json={"to": "filehelper", "text": "cat"}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "key-reused")
        as_file = await client.post(MESSAGES, json={"to": "filehelper", "file": {**file, "kind": "file"}})
        assert as_file.status_code == 201
        async with online.client("send") as stranger:
            refused = await stranger.post(MESSAGES, json={"to": "filehelper", "file": file})
            assert (refused.status_code, refused.json()["code"]) == (404, "not-found")
        assert (await client.delete(f"/api/v1/uploads/{upload['upload_id']}")).status_code == 204
        assert (await client.delete(f"/api/v1/uploads/{upload['upload_id']}")).status_code == 404

    assert len(online.world.inbox("me")["filehelper"].messages) == 2


async def test_a_message_has_either_a_text_or_a_file(online: Running) -> None:
    async with online.client("send") as client:
        for body in ({"to": "filehelper"}, {"to": "filehelper", "text": "a", "file": {"upload_id": "1"}}):
            assert (await client.post(MESSAGES, json=body)).status_code == 400


async def test_an_upload_above_the_limit_is_refused(start_gateway: StartGateway) -> None:
    config = GatewayConfig(limits=LimitsTable(upload=1000, body=10))
    async with start_gateway(config) as running, running.client("send") as client:
        assert (await client.post("/api/v1/uploads", content=b"a" * 1000)).status_code == 201
        refused = await client.post("/api/v1/uploads", content=b"a" * 1001)
        assert (refused.status_code, refused.json()["code"]) == (413, "too-large")


def test_a_digest_is_sha_256() -> None:
    assert digest_of(None) is None
    text = base64.b64encode(b"x" * 32).decode()
    assert digest_of(f"sha-512=:abc=:, sha-256=:{text}:") == b"x" * 32
    with pytest.raises(GatewayProblem):
        digest_of("md5=:abc=:")
