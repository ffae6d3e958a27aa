"""Requests to receivers over HTTP, and the requests that are passed on to the API."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import texts

from webwx.gateway.notify.refusal import Refusal
from webwx.gateway.notify.request import MAX_FIELDS
from webwx.gateway.receivers.hooks import StreamedBody, is_vendor_request, read_head, read_multipart
from webwx.gateway.receivers.receivers import StoredReceiver, address_of, hook_of
from webwx.gateway.receivers.reception import REQUESTS_PER_MINUTE, HookHead, Reception

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

    from webwx.gateway.notify.notification import AttachedFile


async def token_of(running: Running, kind: str, **fields: Any) -> str:
    """Create a receiver of account 1, and return its token."""
    receiver = StoredReceiver(id="", name="n", kind=kind, account=1, digest="", created_at=0, **fields)
    return (await running.gateway.receivers.create(receiver)).token


async def test_success_means_that_the_message_is_in_the_outbox(online: Running) -> None:
    token = await token_of(online, "json")
    async with online.anonymous() as sender:
        answer = await sender.post(f"/hooks/json/{token}", json={"title": "Backup", "text": "done"})
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    assert await texts(online) == ["Backup\n\ndone"]


async def test_the_token_may_be_in_the_body(online: Running) -> None:
    token = await token_of(online, "bark")
    async with online.anonymous() as sender:
        answer = await sender.post("/push", json={"device_key": token, "body": "b"})
        wrong = await sender.post("/push", json={"device_key": "x" * 32, "body": "b"})
    assert (answer.json()["code"], wrong.status_code, wrong.json()["code"]) == (200, 400, 400)
    assert await texts(online) == ["b"]


async def test_a_short_path_belongs_to_the_vendor_of_its_token(online: Running) -> None:
    ntfy, bark = await token_of(online, "ntfy"), await token_of(online, "bark")
    async with online.anonymous() as sender:
        assert (await sender.post(f"/{ntfy}", content="from ntfy")).json()["event"] == "message"
        assert (await sender.get(f"/{bark}/from%20bark")).json()["code"] == 200
        assert (await sender.get("/unknown/path")).status_code in {401, 404}
    assert await texts(online) == ["from ntfy", "from bark"]


async def test_paths_of_the_api_are_not_taken_by_receivers(online: Running) -> None:
    async with online.anonymous() as sender:
        assert (await sender.get("/api/v1/accounts")).status_code == 401
        assert (await sender.get("/openapi.json")).status_code in {200, 401}
    async with online.client("read") as client:
        assert (await client.get("/api/v1/accounts")).status_code == 200


async def test_a_ping_needs_no_token(online: Running) -> None:
    async with online.anonymous() as sender:
        assert (await sender.get("/ping")).json()["message"] == "pong"
        assert (await sender.get("/v1/health")).json() == {"healthy": True}


async def test_a_vendors_host_name_is_served_for_its_receiver_only(online: Running) -> None:
    token = await token_of(online, "wecom")
    message = {"msgtype": "text", "text": {"content": "a"}}
    async with online.anonymous(headers={"Host": "qyapi.weixin.qq.com"}) as sender:
        answer = await sender.post(f"/cgi-bin/webhook/send?key={token}", json=message)
        assert answer.json() == {"errcode": 0, "errmsg": "ok"}
        for path in ("/", "/api/v1/accounts", "/push", f"/hooks/json/{token}"):
            assert (await sender.post(path)).status_code == 421
    async with online.anonymous(headers={"Host": "evil.example"}) as sender:
        assert (await sender.post(f"/cgi-bin/webhook/send?key={token}", json=message)).status_code == 421


async def test_an_uploaded_file_is_sent_by_a_later_message(online: Running) -> None:
    token = await token_of(online, "wecom")
    async with online.anonymous() as sender:
        upload = await sender.post(
            f"/cgi-bin/webhook/upload_media?key={token}&type=file", files={"media": ("报告.txt", b"content")}
        )
        media_id = upload.json()["media_id"]
        send = f"/cgi-bin/webhook/send?key={token}"
        answer = await sender.post(send, json={"msgtype": "file", "file": {"media_id": media_id}})
        assert answer.json()["errcode"] == 0
        other = await sender.post(send, json={"msgtype": "file", "file": {"media_id": "unknown"}})
        assert other.json()["errcode"] == 40058
    await online.gateway.notifications.flush()
    [row] = await online.settled()
    assert (row.kind, row.state) == ("file", "sent")
    assert not list(Path(online.gateway.notifications.folder).glob("[!u]*"))


class SlowBody:
    """The body of a request, which arrives once it is released."""

    def __init__(self) -> None:
        self.reading = 0
        self.peak = 0
        self.released = asyncio.Event()

    async def read(self, limit: int) -> tuple[bytes, tuple[tuple[str, str], ...], tuple[tuple[str, AttachedFile], ...]]:
        del limit
        self.reading += 1
        self.peak = max(self.peak, self.reading)
        await self.released.wait()
        self.reading -= 1
        return b'{"text": "a"}', (), ()


@pytest.mark.parametrize(("length", "at_once"), [("2000000", 4), ("", 4), ("1000", 10)])
async def test_four_large_bodies_are_in_memory_at_once(online: Running, length: str, at_once: int) -> None:
    notifications, records = online.gateway.notifications, online.gateway.records
    reception = Reception(online.gateway.receivers, notifications, records, notifications.folder, time.time)
    token = await token_of(online, "json")
    assert await online.gateway.receivers.find_by_token("json", [token])  # it stays in memory
    head = HookHead(
        method="POST", host="127.0.0.1", path=f"/hooks/json/{token}", query=(),
        headers={"content-type": "application/json", "content-length": length}, address="127.0.0.1",
    )  # fmt: skip
    body = SlowBody()
    answers = [asyncio.ensure_future(reception.answer(head, body)) for _ in range(10)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert body.reading == at_once
    body.released.set()
    assert {answer.status for answer in await asyncio.gather(*answers) if answer is not None} == {200}
    assert body.peak == at_once


@pytest.mark.parametrize("length", ["", "2000000"])
async def test_too_large_a_body_is_refused_before_it_is_read(online: Running, length: str) -> None:
    token = await token_of(online, "json")
    headers = {"content-length": length} if length else {}
    async with online.anonymous() as sender:
        for path in (f"/hooks/alertmanager/{await token_of(online, 'alertmanager')}", "/push"):
            answer = await sender.post(path, content=b" " * 2_000_000, headers=headers)
            assert answer.status_code == 413
        assert (await sender.post(f"/hooks/json/{token}", content=b" " * 2_000_000)).status_code != 413


async def test_an_announced_body_that_is_too_large_is_not_read() -> None:
    async def receive() -> Any:
        raise AssertionError("The body was read.")

    with pytest.raises(Refusal):
        await StreamedBody(receive, {"content-length": "11"}).read(10)


async def test_a_streamed_body_is_read_up_to_its_limit() -> None:
    pieces: list[Any] = [{"type": "http.request", "body": b"x" * 6, "more_body": True} for _ in range(3)]

    async def receive() -> Any:
        return pieces.pop()

    with pytest.raises(Refusal):
        await StreamedBody(receive, {}).read(10)
    assert len(pieces) == 1


def test_a_query_with_too_many_fields_is_ignored() -> None:
    def head(count: int) -> HookHead:
        query = "&".join(f"f{number}=1" for number in range(count)).encode()
        scope: Any = {"method": "GET", "path": "/", "headers": [], "query_string": query, "client": None}
        return read_head(scope)

    assert (len(head(MAX_FIELDS).query), head(MAX_FIELDS + 1).query) == (MAX_FIELDS, ())


def test_a_form_with_too_many_parts_is_refused() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    assert len(read_multipart(part * 100 + b"--b--\r\n", "b")[0]) == 100
    with pytest.raises(Refusal):
        read_multipart(part * 101 + b"--b--\r\n", "b")


async def test_a_receiver_has_a_rate_of_its_own(online: Running) -> None:
    first, second = await token_of(online, "github"), await token_of(online, "github")
    async with online.anonymous() as sender:
        statuses = [
            (await sender.post(f"/hooks/github/{first}", content=b"{}")).status_code
            for _ in range(REQUESTS_PER_MINUTE + 1)
        ]
        other = (await sender.post(f"/hooks/github/{second}", content=b"{}")).status_code
    assert (statuses[:-1], statuses[-1], other) == ([422] * REQUESTS_PER_MINUTE, 429, 422)


async def test_the_same_idempotency_key_sends_once(online: Running) -> None:
    token = await token_of(online, "json")
    async with online.anonymous(headers={"Idempotency-Key": "1"}) as sender:
        answers = [await sender.post(f"/hooks/json/{token}", json={"text": "once"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert await texts(online) == ["once"]


async def test_wrong_tokens_are_slowed_down(online: Running) -> None:
    async with online.anonymous() as sender:
        statuses = [(await sender.post("/hooks/json/wrong", json={"text": "a"})).status_code for _ in range(8)]
    assert statuses[:5] == [401] * 5
    assert 429 in statuses


async def test_an_alert_in_markdown_is_answered_by_the_vendors_form(online: Running) -> None:
    token = await token_of(online, "pushplus")
    async with online.anonymous() as sender:
        body = {"token": token, "title": "T", "content": "**b**\n" + "- a\n" * 3000, "template": "markdown"}
        assert (await sender.post("/send", json=body)).json()["code"] == 200
    assert (await texts(online))[0].startswith("T\n\nb\n\n• a\n• a\n")


async def test_a_receiver_of_a_removed_account_is_refused(online: Running) -> None:
    token = await token_of(online, "json")
    await online.port.remove_account(1)
    async with online.anonymous() as sender:
        assert (await sender.post(f"/hooks/json/{token}", json={"text": "a"})).status_code == 403


def test_multipart_is_read() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\n'
        b"hi\r\n--b--\r\n"
    )
    fields, files = read_multipart(body, "b")
    assert fields == (("a", "1"),)
    assert [(name, file.name, file.content, file.media_type) for name, file in files] == [
        ("f", "x.txt", b"hi", "text/plain")
    ]


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (b"", "b"),
        (b"--b\r\n", "b"),
        (b"--b\r\nnonsense\r\n\r\n--b--", "b"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--\r\n', "b"),
        (b"--b--\r\n", ""),
    ],
)
def test_broken_multipart_is_refused(body: bytes, boundary: str) -> None:
    with pytest.raises(Refusal):
        read_multipart(body, boundary)


def test_only_a_vendors_paths_belong_to_its_host_name() -> None:
    assert is_vendor_request("hooks.slack.com", "POST", "/services/T/B/x")
    assert not is_vendor_request("hooks.slack.com", "POST", "/push")
    assert not is_vendor_request("example.org", "POST", "/services/T/B/x")


async def test_requests_of_real_clients_arrive(online: Running) -> None:
    rows = json.loads((Path(__file__).parents[1] / "notify" / "recorded.json").read_text("utf-8"))
    [row] = [row for row in rows if row["client"] == "apprise-json"]
    token = await token_of(online, "apprise")
    async with online.anonymous() as sender:
        answer = await sender.post(f"/hooks/apprise/{token}", content=row["body"], headers=row["headers"])
    assert answer.status_code == 200
    await online.gateway.notifications.flush()
    assert sorted(row.kind for row in await online.port.account(1).client.list_sends()) == ["file", "text"]


async def test_a_client_of_ntfy_is_set_up_without_and_with_a_token(online: Running) -> None:
    token = await token_of(online, "ntfy")
    async with online.anonymous() as sender:
        assert (await sender.get("/v1/account")).json()["username"] == "*"
        known = await sender.get("/v1/account", headers={"Authorization": f"Bearer {token}"})
        assert known.json()["role"] == "user"
        for method, path, status, code in (
            ("GET", "/v1/account", 401, 40101), ("POST", "/v1/account/token", 401, 40101),
            ("GET", "/v1/version", 404, 40401), ("GET", "/v1/stats", 404, 40401),
        ):  # fmt: skip
            answer = await sender.request(method, path, headers={"Authorization": "Bearer unknown"})
            assert (answer.status_code, answer.json()["code"], answer.json()["http"]) == (status, code, status)
            assert answer.json()["error"]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("discord", {"content": "hello"}, 204),
        ("dingtalk", {"msgtype": "text", "text": {"content": "hello"}}, 200),
        ("feishu", {"msg_type": "text", "content": {"text": "hello"}}, 200),
    ],
)
async def test_a_robot_is_reached_at_the_path_of_its_vendor(
    online: Running, kind: str, body: dict[str, object], status: int
) -> None:
    token = await token_of(online, kind)
    async with online.anonymous() as sender:
        for path in (address_of(kind, token), hook_of(kind, token)):
            assert (await sender.post(path, json=body)).status_code == status
    assert [row.text for row in await online.settled()] == ["hello", "hello"]
