"""Messages over the API: history, search, recalls and media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.client.conftest import PNG
from tests.client.reading.test_message_page import store_sends

from webwx.model.contacts import FILEHELPER
from webwx.sandbox.options import Options

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

MESSAGES = "/api/v1/accounts/1/messages"


async def test_history_and_search_have_the_newest_first(online: Running) -> None:
    for text in ("first 备份", "second"):
        online.world.say("ahua", "me", text)
        await online.until_text(text)
    async with online.client("read", "send") as client:
        await client.post(MESSAGES, json={"to": "阿华", "text": "third"})
        page = (await client.get(MESSAGES, params={"chat": "阿华"})).json()
        texts = [(entry["send"] or entry["event"]["data"])["text"] for entry in page["entries"]]
        assert texts == ["third", "second", "first 备份"]
        found = (await client.get(MESSAGES, params={"q": "备份"})).json()["entries"]
        assert [entry["event"]["data"]["text"] for entry in found] == ["first 备份"]
        number = found[0]["event"]["number"]
        assert (await client.get(f"{MESSAGES}/{number}")).json()["data"]["text"] == "first 备份"
        assert (await client.get(f"{MESSAGES}/99999")).status_code == 404
        newest = (await client.get(MESSAGES, params={"chat": "阿华", "limit": 1})).json()
        assert len(newest["entries"]) == 1


async def test_a_thousand_notifications_are_read_back_page_by_page(online: Running) -> None:
    online.world.say("ahua", "me", "hello")
    await online.until_text("hello")
    account = online.port.account(1)
    outbox = account.client.subscribe("reads").part.outbox
    await store_sends(outbox, FILEHELPER, [online.world.clock.now()] * 1000, str)
    async with online.client("read") as client:
        for query, count in (({"chat": "filehelper"}, 1000), ({}, 1001), ({"q": "alert"}, 1000)):
            found: list[Any] = []
            before: str | None = ""
            while before is not None:
                page = (await client.get(MESSAGES, params={**query, "limit": 90, "before": before})).json()
                found += page["entries"]
                before = page["before"]
            ids = [(entry["send"] or entry["event"])["id"] for entry in found]
            assert (len(ids), len(set(ids))) == (count, count)
        again = (await client.get(MESSAGES, params={"limit": 1, "before": found[499]["before"]})).json()["entries"]
        assert again == found[500:501]
        refused = await client.get(MESSAGES, params={"before": "x"})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid-cursor")


async def test_events_have_the_names_of_their_chat_and_author(online: Running) -> None:
    online.world.say("lilei", "me", "hello")
    number = (await online.until_text("hello")).event.number
    online.world.recall("lilei", "me")
    async with online.client("read") as client:
        [entry] = (await client.get(MESSAGES, params={"q": "hello"})).json()["entries"]
        shown = (await client.get(f"{MESSAGES}/{number}")).json()
        by_id = (await client.get(f"{MESSAGES}/by-id/{shown['data']['message_id']}")).json()
        for event in (entry["event"], shown, by_id):
            assert (event["chat_name"], event["sender_name"]) == ("Boss", "Boss")


async def test_a_message_is_found_by_the_id_of_the_platform(online: Running) -> None:
    online.world.say("ahua", "me", "hello")
    event = (await online.until_text("hello")).event
    async with online.client("read") as client:
        shown = (await client.get(f"{MESSAGES}/{event.number}")).json()
        assert (await client.get(f"{MESSAGES}/by-id/{shown['data']['message_id']}")).json() == shown
        absent = await client.get(f"{MESSAGES}/by-id/0")
        assert (absent.status_code, absent.json()["code"]) == (404, "not-found")


async def test_the_origin_of_a_message_is_known(online: Running) -> None:
    online.world.options = Options(echo="on")
    online.world.say("ahua", "me", "theirs")
    theirs = (await online.until_text("theirs")).event.number
    async with online.client("send", "read") as client:
        await client.post(MESSAGES, json={"to": "阿华", "text": "mine"})
        mine = (await online.until_text("mine")).event.number
        for number, sent_here in ((mine, True), (theirs, False)):
            assert (await client.get(f"{MESSAGES}/{number}/origin")).json() == {"sent_here": sent_here}
        assert (await client.get(f"{MESSAGES}/99999/origin")).status_code == 404


async def test_a_message_is_forwarded_and_an_own_one_recalled(online: Running) -> None:
    online.world.say("ahua", "me", "pass it on")
    number = (await online.until_text("pass it on")).event.number
    online.world.options = Options(echo="on")
    async with online.client("send", "read", "manage") as client:
        await client.post(MESSAGES, json={"to": "Boss", "text": "mine"})
        own = (await online.until_text("mine")).event.number
        forwarded = await client.post(f"{MESSAGES}/{number}/forward", json={"to": "Boss"})
        assert (forwarded.status_code, forwarded.json()["state"]) == (201, "sent")
        refused = await client.post(f"{MESSAGES}/{number}/recall")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid-request")
        assert (await client.post(f"{MESSAGES}/{own}/recall")).status_code == 204

    texts = [message.text for message in online.world.inbox("lilei")["xiaoming"].messages]
    assert "pass it on" in texts


async def test_a_recall_is_listed_with_its_message(online: Running) -> None:
    online.world.say("ahua", "me", "never mind")
    await online.until_text("never mind")
    online.world.recall("ahua", "me")
    async with online.client("read", "events") as client:
        recalled: list[dict[str, Any]] = []
        while not recalled:
            await client.get("/api/v1/events", params={"wait": 1})
            recalled = (await client.get("/api/v1/accounts/1/recalled")).json()["recalled"]

    [entry] = recalled
    assert entry["event"]["type"] == "message.recalled"
    assert entry["event"]["data"]["original"]["text"] == "never mind"


async def test_recalls_come_in_pages(online: Running) -> None:
    for text in ("one", "two", "three"):
        online.world.recall("ahua", "me", online.world.say("ahua", "me", text).id)
    online.world.say("ahua", "me", "after the recalls")
    await online.until_text("after the recalls")
    async with online.client("read") as client:
        pages = [(await client.get("/api/v1/accounts/1/recalled", params={"limit": 2})).json()]
        query = {"limit": 2, "before": pages[0]["before"]}
        pages.append((await client.get("/api/v1/accounts/1/recalled", params=query)).json())
    texts = [[each["event"]["data"]["original"]["text"] for each in page["recalled"]] for page in pages]
    assert texts == [["three", "two"], ["one"]]
    assert [page["before"] is None for page in pages] == [False, True]


async def test_media_are_downloaded_completely_in_part_and_conditionally(online: Running) -> None:
    number = await picture(online)
    async with online.client("read:media") as client:
        whole = await client.get(f"{MESSAGES}/{number}/media")
        assert (whole.status_code, whole.content) == (200, PNG)
        assert whole.headers["content-type"] == "image/png"
        assert whole.headers["content-disposition"].startswith("attachment;")
        assert whole.headers["x-content-type-options"] == "nosniff"
        part = await client.get(f"{MESSAGES}/{number}/media", headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, PNG[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(PNG)}"
        same = await client.get(f"{MESSAGES}/{number}/media", headers={"If-None-Match": whole.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        beyond = await client.get(f"{MESSAGES}/{number}/media", headers={"Range": f"bytes={len(PNG)}-"})
        assert (beyond.status_code, beyond.json()["code"]) == (416, "range-not-satisfiable")
        thumbnail = await client.get(f"{MESSAGES}/{number}/thumbnail")
        assert thumbnail.headers["content-type"].startswith("image/")


async def test_a_text_has_no_media(online: Running) -> None:
    online.world.say("ahua", "me", "only words")
    number = (await online.until_text("only words")).event.number
    async with online.client("read:media") as client:
        answer = await client.get(f"{MESSAGES}/{number}/media")
    assert answer.status_code in {404, 502}


async def picture(online: Running) -> int:
    """Send a picture to the account, and return the number of its event."""
    online.world.picture("ahua", "me", PNG)
    cursor = ""
    while True:
        await online.port.events.wait([1], cursor, wait=20)
        page = await online.port.events.read([1], cursor, limit=100)
        cursor = page.cursor
        for account_event in page.events:
            if type(account_event.event).__name__ == "ImageMessage":
                return account_event.event.number


async def test_a_key_that_may_not_read_cannot_forward(online: Running) -> None:
    online.world.say("ahua", "me", "secret")
    number = (await online.until_text("secret")).event.number
    async with online.client("send", "events", "read:media") as client:
        refused = await client.post(f"{MESSAGES}/{number}/forward", json={"to": "filehelper"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
