"""Contacts, chats and chatrooms over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from webwx.gateway.api.contacts import which_of
from webwx.representations.contacts import SHOW_CONTACT
from webwx.representations.route import API
from webwx.sandbox import contents

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

CONTACTS = "/api/v1/accounts/1/contacts"
CHATROOMS = "/api/v1/accounts/1/chatrooms"


async def test_contacts_are_listed_by_page_and_found_by_name(online: Running) -> None:
    async with online.client("read") as client:
        whole = (await client.get(CONTACTS)).json()
        assert whole["next"] is None
        names = [contact["name"] for contact in whole["contacts"]]
        assert {"Boss", "阿华"} <= set(names)
        first = (await client.get(CONTACTS, params={"limit": 2})).json()
        rest = (await client.get(CONTACTS, params={"after": first["next"]})).json()
        assert [contact["name"] for contact in first["contacts"] + rest["contacts"]] == names
        [boss] = (await client.get(CONTACTS, params={"q": "boss"})).json()["contacts"]
        assert (boss["nickname"], boss["remark"]) == ("李雷", "Boss")
        kinds = {
            contact["kind"] for contact in (await client.get(CONTACTS, params={"kind": "chatroom"})).json()["contacts"]
        }
        assert kinds <= {"chatroom"}
        assert all("uin" not in contact for contact in whole["contacts"])


async def test_a_contact_is_found_by_name_number_and_id(online: Running) -> None:
    async with online.client("read", "manage") as client:
        found = (await client.get(f"{CONTACTS}/Boss")).json()
        for which in (found["number"], found["contact"]["id"]):
            assert (await client.get(f"{CONTACTS}/{which}")).json() == found
        missing = await client.get(f"{CONTACTS}/unknown")
        assert (missing.status_code, missing.json()["code"]) == (422, "unknown-contact")
        changed = await client.patch(f"{CONTACTS}/Boss", json={"remark": "Chef", "pinned": True})
        assert (changed.json()["name"], changed.json()["is_pinned"]) == ("Chef", True)
        avatar = await client.get(f"{CONTACTS}/Chef/avatar")
        assert avatar.headers["content-type"].startswith("image/")


@pytest.mark.parametrize("name", ["A/B", "/", "100%2F", "a?b#c"])
async def test_a_contact_is_named_by_any_text(online: Running, name: str) -> None:
    async with online.client("manage", "read", "admin") as client:
        await client.patch(f"{CONTACTS}/Boss", json={"remark": name})
        path = SHOW_CONTACT.at(1, name)
        raw = httpx.URL(str(client.base_url)).copy_with(raw_path=f"{API}{path}".encode())
        found = await client.get(raw)
        assert (found.status_code, found.json().get("contact", found.json())["remark"]) == (200, name)
        pinned = await client.patch(raw, json={"pinned": True})
        assert (pinned.status_code, pinned.json()["is_pinned"]) == (200, True)
        [entry] = (await client.get("/api/v1/audit?limit=1")).json()["entries"]
    assert entry["target"] == f"1/{name}"


async def test_chats_are_listed_and_marked_as_read(online: Running) -> None:
    async with online.client("read", "manage") as client:
        chats = await client.get("/api/v1/accounts/1/chats")
        assert chats.status_code == 200
        assert isinstance(chats.json()["chats"], list)
        assert (await client.post(f"{CONTACTS}/filehelper/read")).status_code == 204


async def test_unread_messages_are_counted_until_the_chat_is_marked_as_read(online: Running) -> None:
    async with online.client("read", "manage") as client:
        assert (await client.get(f"{CONTACTS}/阿华/unread")).json() == {"unread": None}
        for text in ("one", "two"):
            online.world.say("ahua", "me", text)
        await online.until_text("two")
        assert (await client.get(f"{CONTACTS}/阿华/unread")).json() == {"unread": 2}
        assert (await client.get(f"{CONTACTS}/Boss/unread")).json() == {"unread": 0}
        assert (await client.post(f"{CONTACTS}/阿华/read")).status_code == 204
        assert (await client.get(f"{CONTACTS}/阿华/unread")).json() == {"unread": 0}
        unknown = await client.get(f"{CONTACTS}/unknown/unread")
        assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown-contact")


async def test_the_articles_of_official_accounts_are_listed(online: Running) -> None:
    paper = online.world.add_person("晨报", "paper")
    paper.verify_flag = 24
    online.world.befriend("me", "paper")
    online.world.send("paper", "me", contents.link(paper, "一", "http://a", "摘要"))
    async with online.client("read") as client:
        listed = (await client.get("/api/v1/accounts/1/articles")).json()["publications"]
        [published] = [each for each in listed if each["name"] == "晨报"]
        assert published["articles"] == [{"title": "一", "url": "http://a", "digest": "摘要", "cover_url": ""}]
        assert published["time"].endswith("Z")


async def test_a_chatroom_is_created_renamed_changed_and_left(online: Running) -> None:
    async with online.client("read", "manage") as client:
        created = await client.post(CHATROOMS, json={"members": ["Boss", "阿华"], "name": "Trip"})
        assert created.status_code == 201
        room = created.json()["chatroom"]
        assert (room["name"], room["member_count"]) == ("Trip", 3)
        assert (await client.patch(f"{CHATROOMS}/{room['id']}", json={"name": "Hike"})).json()["name"] == "Hike"
        removed = await client.delete(f"{CHATROOMS}/{room['id']}/members/阿华")
        assert (removed.status_code, removed.json()["member_count"]) == (200, 2)
        invited = await client.post(f"{CHATROOMS}/{room['id']}/invitations", json={"members": ["阿华"]})
        assert (invited.status_code, len(invited.json()["invited"])) == (200, 1)
        added = await client.post(f"{CHATROOMS}/{room['id']}/members", json={"members": ["阿华"]})
        assert len(added.json()["added"]) == 1
        assert (await client.delete(f"{CHATROOMS}/{room['id']}")).status_code == 204
        few = await client.post(CHATROOMS, json={"members": ["Boss"]})
        assert (few.status_code, few.json()["code"]) == (422, "too-few-members")


@pytest.mark.parametrize(
    ("text", "which"), [("7", 7), ("Boss", "Boss"), ("7a", "7a"), ("１", "１"), ("9" * 20, "9" * 20)]
)
def test_digits_are_a_number(text: str, which: str | int) -> None:
    assert which_of(text) == which


async def test_people_are_looked_up_by_their_ids(online: Running) -> None:
    async with online.client("read") as client:
        ahua = (await client.get("/api/v1/accounts/1/contacts/阿华")).json()["contact"]
        for path in ("/api/v1/accounts/1/contacts/lookup", "/api/v1/accounts/1/people"):
            answer = (await client.get(path, params={"id": [ahua["id"], "@absent"]})).json()
            assert [each["contact"]["nickname"] for each in answer["found"]] == ["阿华"]
            assert answer["missing"] == ["@absent"]
            assert (await client.get(path)).status_code == 400
            too_many = await client.get(path, params={"id": ["@a"] * 51})
            assert too_many.status_code == 400


async def test_a_friend_request_is_sent_to_one_person(online: Running) -> None:
    async with online.client("manage") as client:
        sent = await client.post("/api/v1/accounts/1/friend-requests", json={"to": "Boss", "greeting": "你好"})
        unknown = await client.post("/api/v1/accounts/1/friend-requests", json={"to": "陌生人"})
    assert sent.status_code == 204
    assert len(online.world.person("lilei").asked_by) == 1
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown-contact")


async def test_only_a_friend_request_is_accepted(online: Running) -> None:
    online.world.say("ahua", "me", "hi")
    number = (await online.until_text("hi")).event.number
    async with online.client("manage") as client:
        refused = await client.post(f"/api/v1/accounts/1/friend-requests/{number}/accept")
        missing = await client.post("/api/v1/accounts/1/friend-requests/999/accept")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-request")
    assert missing.status_code == 404
