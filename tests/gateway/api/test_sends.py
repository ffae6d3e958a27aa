"""Sends and their states: sent, queued, unknown, refused, logged out."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import PNG

from webwx.gateway.api.sends import LONGEST_WAIT, wait_of

if TYPE_CHECKING:
    from tests.carriers import Counted
    from tests.gateway.conftest import Running

MESSAGES = "/api/v1/accounts/1/messages"
SENDS = "/api/v1/accounts/1/sends"


def texts(running: Running, who: str, chat: str) -> list[str]:
    return [message.text for message in running.world.inbox(who)[chat].messages]


async def test_a_text_is_sent_and_its_send_can_be_read(online: Running) -> None:
    async with online.client("send", "read") as client:
        answer = await client.post(MESSAGES, json={"to": "filehelper", "text": "hello"})
        assert answer.status_code == 201
        sent = answer.json()
        assert (sent["state"], sent["chat"]) == ("sent", "filehelper")
        assert sent["message_id"]
        assert answer.headers["location"] == f"{SENDS}/{sent['id']}"
        shown = (await client.get(answer.headers["location"])).json()
        assert shown.items() >= sent.items()
        assert (shown["kind"], shown["text"], shown["ret"]) == ("text", "hello", 0)

    assert texts(online, "me", "filehelper") == ["hello"]


async def test_people_are_named_by_remark_and_by_number(online: Running) -> None:
    async with online.client("send") as client:
        assert (await client.post(MESSAGES, json={"to": "Boss", "text": "1"})).status_code == 201
        number = (await online.port.account(1).client.who("Boss")).number
        assert (await client.post(MESSAGES, json={"to": number, "text": "2"})).status_code == 201

    assert texts(online, "lilei", "xiaoming") == ["1", "2"]


async def test_a_second_request_with_the_same_key_sends_nothing(online: Running) -> None:
    async with online.client("send") as client:
        headers = {"Idempotency-Key": "backup-1"}
        first = await client.post(MESSAGES, json={"to": "filehelper", "text": "done"}, headers=headers)
        second = await client.post(MESSAGES, json={"to": "filehelper", "text": "done"}, headers=headers)
        assert (first.status_code, second.status_code) == (201, 201)
        assert second.json() == first.json()

        for other in ({"to": "filehelper", "text": "failed"}, {"to": "Boss", "text": "done"}):
            reused = await client.post(MESSAGES, json=other, headers=headers)
            assert (reused.status_code, reused.json()["code"]) == (422, "key-reused")

    assert texts(online, "me", "filehelper") == ["done"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"to": "unknown", "text": "a"}, "unknown-contact"),
        ({"to": "filehelper", "text": ""}, "empty-text"),
        ({"to": "filehelper", "text": "a" * 16_001}, "text-too-long"),
    ],
)
async def test_an_invalid_send_is_422(online: Running, counted: Counted, body: dict[str, str], code: str) -> None:
    async with online.client("send") as client:
        answer = await client.post(MESSAGES, json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert "webwxsendmsg" not in counted.calls


async def test_a_lost_answer_is_409_and_the_send_unknown(online: Running, counted: Counted) -> None:
    counted.lose_answers("webwxsendmsg")
    async with online.client("send", "read") as client:
        headers = {"Idempotency-Key": "k"}
        for _ in range(2):
            answer = await client.post(MESSAGES, json={"to": "Boss", "text": "a"}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (409, "send-outcome-unknown")
        [send] = (await client.get(SENDS, params={"state": "unknown"})).json()["sends"]
        assert (send["state"], send["message_id"]) == ("unknown", None)
        retried = await client.post(f"{SENDS}/{send['id']}/retry")
        assert retried.status_code == 409
        assert (await client.delete(f"{SENDS}/{send['id']}")).status_code == 204
        assert (await client.get(f"{SENDS}/{send['id']}")).status_code == 404

    assert counted.calls.count("webwxsendmsg") == 1


async def test_without_a_login_it_is_424(running: Running) -> None:
    await running.port.add_account("default")
    async with running.client("send") as client:
        answer = await client.post(MESSAGES, json={"to": "filehelper", "text": "a"})

    assert (answer.status_code, answer.json()["code"]) == (424, "not-logged-in")


async def test_a_send_without_waiting_is_stored_and_sent_soon(online: Running) -> None:
    async with online.client("send", "read") as client:
        answer = await client.post(
            MESSAGES, json={"to": "filehelper", "text": "soon"}, headers={"Prefer": "respond-async"}
        )
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        while (await client.get(answer.headers["location"])).json()["state"] != "sent":
            pass

    assert texts(online, "me", "filehelper") == ["soon"]


async def test_a_text_for_an_account_that_is_logged_out_is_kept_until_the_next_login(online: Running) -> None:
    online.world.log_out("me")
    async with online.client("send", "login", "read") as client:
        [status] = await online.port.list_accounts()
        while status.state != "logged_out":
            status = await online.port.account(1).check()
        refused = await client.post(MESSAGES, json={"to": "filehelper", "text": "now"})
        assert (refused.status_code, refused.json()["code"]) == (424, "logged-out")
        answer = await client.post(
            MESSAGES, json={"to": "filehelper", "text": "later"}, headers={"Prefer": "respond-async"}
        )
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        assert (await client.get("/api/v1/accounts/1")).json()["queued"] == 1
        await online.log_in()
        while (await client.get(answer.headers["location"])).json()["state"] != "sent":
            pass

    assert texts(online, "me", "filehelper") == ["later"]


async def test_a_sent_message_is_recalled(online: Running) -> None:
    async with online.client("send", "manage") as client:
        sent = (await client.post(MESSAGES, json={"to": "Boss", "text": "oops"})).json()
        assert (await client.post(f"{SENDS}/{sent['id']}/recall")).status_code == 204
        assert (await client.post(f"{SENDS}/absent/recall")).status_code == 404

    assert online.world.inbox("lilei")["xiaoming"].messages[0].is_recalled


async def test_a_key_for_file_transfer_helper_sends_to_no_other_chat(online: Running) -> None:
    async with online.client("send:filehelper") as client:
        assert (await client.post(MESSAGES, json={"to": "filehelper", "text": "a"})).status_code == 201
        answer = await client.post(MESSAGES, json={"to": "Boss", "text": "a"})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_file_may_be_in_the_request(online: Running) -> None:
    file = {"data": base64.b64encode(PNG).decode(), "name": "cat.png"}
    async with online.client("send") as client:
        for prefer, status in (("wait=25", 201), ("respond-async", 202)):
            answer = await client.post(MESSAGES, json={"to": "filehelper", "file": file}, headers={"Prefer": prefer})
            assert answer.status_code == status
        async with asyncio.timeout(20):
            while (await online.port.account(1).status()).queued:  # noqa: ASYNC110 - no event marks the end
                await asyncio.sleep(0)
        ambiguous = await client.post(MESSAGES, json={"to": "filehelper", "file": {**file, "upload_id": "1"}})
        nothing = await client.post(MESSAGES, json={"to": "filehelper", "file": {}})
        fetched = await client.post(MESSAGES, json={"to": "filehelper", "file": {"url": "https://example.org/a.png"}})
        assert [answer.json()["code"] for answer in (ambiguous, nothing, fetched)] == [
            "bad-request", "bad-request", "url-not-fetched",
        ]  # fmt: skip

    assert len(online.world.inbox("me")["filehelper"].messages) == 2


async def test_members_of_a_chatroom_are_mentioned_as_the_app_does(online: Running) -> None:
    async with online.client("send", "read", "manage") as client:
        created = await client.post("/api/v1/accounts/1/chatrooms", json={"members": ["Boss", "阿华"], "name": "Trip"})
        room = created.json()["chatroom"]["id"]
        members = (await client.get(f"/api/v1/accounts/1/contacts/{room}")).json()["members"]
        hua = next(member for member in members if member["name"] == "阿华")
        for who in ("阿华", hua["id"]):
            answer = await client.post(MESSAGES, json={"to": room, "text": "come", "mentions": [who]})
            assert answer.status_code == 201
        unknown = await client.post(MESSAGES, json={"to": room, "text": "come", "mentions": ["unknown"]})
        alone = await client.post(MESSAGES, json={"to": "filehelper", "text": "come", "mentions": ["阿华"]})
        entries = (await client.get(MESSAGES, params={"chat": room})).json()["entries"]

    assert [entry["send"]["text"] for entry in entries if entry["send"]] == ["@阿华\u2005come"] * 2
    assert [answer.json()["code"] for answer in (unknown, alone)] == ["unknown-contact", "invalid-request"]


async def test_a_reply_is_refused_because_the_web_protocol_has_none(online: Running, counted: Counted) -> None:
    async with online.client("send") as client:
        answer = await client.post(MESSAGES, json={"to": "filehelper", "text": "yes", "reply_to": 1})

    assert (answer.status_code, answer.json()["code"]) == (422, "not-on-the-wire")
    assert "webwxsendmsg" not in counted.calls


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, LONGEST_WAIT),
        ("respond-async", 0),
        ("wait=7", 7),
        ("return=minimal, wait=3", 3),
        ("wait=999", LONGEST_WAIT),
    ],
)
def test_the_time_limit_of_a_request(prefer: str | None, seconds: float) -> None:
    assert wait_of(prefer) == seconds


async def test_a_queued_file_is_sent_again_from_where_the_gateway_keeps_it(online: Running, counted: Counted) -> None:
    async with online.client("send", "read") as client:
        counted.lose_answers("webwxuploadmedia", 1_000)
        queued = await client.post(
            MESSAGES, headers={"Prefer": "respond-async"},
            json={"to": "filehelper", "file": {"data": base64.b64encode(PNG).decode(), "name": "cat.png"}},
        )  # fmt: skip
        counted.lose_answers("webwxuploadmedia", 0)
        async with asyncio.timeout(20):
            while (retried := await client.post(f"{SENDS}/{queued.json()['id']}/retry")).status_code == 502:
                pass  # the attempt that it has joined had begun before
        assert (queued.status_code, retried.status_code, retried.json()["state"]) == (202, 201, "sent")

    assert [each.kind for each in online.world.inbox("me")["filehelper"].messages] == ["image"]


async def test_sends_are_listed_by_chat_and_page(online: Running) -> None:
    async with online.client("send", "read") as client:
        for to, text in (("filehelper", "1"), ("Boss", "2"), ("filehelper", "3")):
            await client.post(MESSAGES, json={"to": to, "text": text})
        first = (await client.get(SENDS, params={"limit": 2})).json()
        second = (await client.get(SENDS, params={"limit": 2, "before": first["before"]})).json()
        assert [each["text"] for each in first["sends"] + second["sends"]] == ["3", "2", "1"]
        assert second["before"] is None
        [only] = (await client.get(SENDS, params={"chat": "Boss"})).json()["sends"]
        assert only["text"] == "2"
        unknown = await client.get(SENDS, params={"chat": "unknown"})
        assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown-contact")


async def test_a_send_is_found_by_its_key_its_number_and_its_ids(online: Running) -> None:
    async with online.client("send", "read") as client:
        sent = (
            await client.post(
                MESSAGES, json={"to": "filehelper", "text": "hello"}, headers={"Idempotency-Key": "daily"}
            )
        ).json()
        found = (await client.get(f"{SENDS}/find", params={"key": "daily"})).json()
        assert (found["id"], found["text"]) == (sent["id"], "hello")
        for name, value in (("id", sent["id"]), ("send_number", found["number"]), ("message_id", sent["message_id"])):
            assert (await client.get(f"{SENDS}/find", params={name: value})).json() == found
        for wrong in ({}, {"key": "other"}, {"key": "daily", "send_number": found["number"] + 1}):
            absent = await client.get(f"{SENDS}/find", params=wrong)
            assert (absent.status_code, absent.json()["code"]) == (404, "not-found")
