"""Files over the API: uploaded, and sent once by their caller only."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from tests.client.conftest import PNG

from webwx.gateway.config import GatewayConfig, LimitsTable

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
        assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")


async def test_a_file_of_a_form_is_uploaded_under_its_name(online: Running) -> None:
    async with online.client("send") as client:
        files: dict[str, Any] = {"note": (None, "hello"), "file": ("猫.png", PNG, "image/png")}
        upload = (await client.post("/api/v1/uploads", files=files)).json()
        assert (upload["name"], upload["bytes"], upload["kind"]) == ("猫.png", len(PNG), "image")
        renamed = (await client.post("/api/v1/uploads?name=cat.png", files=files)).json()
        assert renamed["name"] == "cat.png"
        refused = await client.post("/api/v1/uploads", files={"note": (None, "hello")})
        assert (refused.status_code, refused.json()["code"]) == (400, "bad-request")
        body = {"to": "filehelper", "file": {"upload_id": upload["upload_id"]}}
        assert (await client.post(MESSAGES, json=body)).status_code == 201


def digest(content: bytes) -> dict[str, str]:
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"}


async def test_an_upload_is_continued_where_it_stopped(online: Running) -> None:
    async with online.client("send") as client:
        begun = await client.post("/api/v1/uploads?name=cat.png", headers={"Upload-Length": str(len(PNG))})
        assert (begun.status_code, begun.json()["is_complete"]) == (201, False)
        upload_id = begun.json()["upload_id"]
        place = f"/api/v1/uploads/{upload_id}"
        assert begun.headers["location"] == place
        damaged = await client.patch(place, content=PNG[:90], headers={"Upload-Offset": "0", **digest(PNG[:91])})
        assert damaged.status_code == 400
        first = await client.patch(place, content=PNG[:100], headers={"Upload-Offset": "0", **digest(PNG[:100])})
        assert (first.status_code, first.headers["upload-offset"]) == (200, "100")
        asked = await client.head(place)
        assert (asked.status_code, asked.content) == (200, b"")
        assert (asked.headers["upload-offset"], asked.headers["upload-length"]) == ("100", str(len(PNG)))
        for offset in ("99", "101"):
            wrong = await client.patch(place, content=b"x", headers={"Upload-Offset": offset})
            assert (wrong.status_code, wrong.json()["code"]) == (409, "conflict")
        early = await client.post(MESSAGES, json={"to": "filehelper", "file": {"upload_id": upload_id}})
        assert (early.status_code, early.json()["code"]) == (409, "conflict")
        last = (await client.patch(place, content=PNG[100:], headers={"Upload-Offset": "100"})).json()
        assert (last["is_complete"], last["offset"], last["kind"]) == (True, len(PNG), "image")
        assert (await client.get(place)).json() == last
        assert (await client.patch(place, content=b"", headers={"Upload-Offset": str(len(PNG))})).status_code == 409
        sent = await client.post(MESSAGES, json={"to": "filehelper", "file": {"upload_id": upload_id}})
        assert sent.status_code == 201
        async with online.client("send") as stranger:
            for answer in (
                await stranger.head(place),
                await stranger.get(place),
                await stranger.patch(place, content=b"x", headers={"Upload-Offset": "0"}),
            ):
                assert answer.status_code == 404


async def test_a_length_above_the_limit_or_with_a_body_is_refused(start_gateway: StartGateway) -> None:
    config = GatewayConfig(limits=LimitsTable(upload=1000))
    async with start_gateway(config) as running, running.client("send") as client:
        large = await client.post("/api/v1/uploads", headers={"Upload-Length": "1001"})
        assert (large.status_code, large.json()["code"]) == (413, "body-too-large")
        both = await client.post("/api/v1/uploads", content=b"a", headers={"Upload-Length": "1000"})
        assert (both.status_code, both.json()["code"]) == (400, "bad-request")


async def test_the_uploads_of_a_key_have_a_limit_and_end_with_the_key(start_gateway: StartGateway) -> None:
    config = GatewayConfig(limits=LimitsTable(uploads_per_key=1000, uploads_free=0))
    async with start_gateway(config) as running, running.client("admin") as admin:
        made = (await admin.post("/api/v1/keys", json={"name": "n", "scopes": ["send"]})).json()
        async with running.anonymous(headers={"Authorization": f"Bearer {made['key']}"}) as client:
            assert (await client.post("/api/v1/uploads", content=b"a" * 600)).status_code == 201
            refused = await client.post("/api/v1/uploads", content=b"a" * 401)
            assert (refused.status_code, refused.json()["code"]) == (507, "no-room")
        folder = running.folder / "gateway-files" / "uploads"
        assert len(list(folder.iterdir())) == 1
        assert (await admin.delete(f"/api/v1/keys/{made['about']['id']}")).status_code == 204
        assert list(folder.iterdir()) == []


async def test_what_a_killed_gateway_has_left_is_deleted_when_it_starts_again(start_gateway: StartGateway) -> None:
    async with start_gateway() as running, running.client("send") as client:
        assert (await client.post("/api/v1/uploads", content=b"a")).status_code == 201
        files = running.folder / "gateway-files"
        for path in (files / "uploads" / ("0" * 32), files / ("0" * 32), files / ".0.a", files / "upload-0"):
            path.write_bytes(b"left")
    async with start_gateway():
        assert [len(list((files / "uploads").iterdir())), len([*files.iterdir()])] == [1, 1]
