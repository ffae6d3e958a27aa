from __future__ import annotations

from typing import Any

from tests.sandbox.conftest import Page
from tests.sandbox.phone.conftest import OpenPage

from webwx.sandbox.phone.live import SOURCES
from webwx.sandbox.phone.updates import PAGE_OF_HISTORY, ClockUpdate, LoginsUpdate, PeopleUpdate
from webwx.sandbox.world import World


def phones(updates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in updates if each["kind"] == "phone"]


def histories(updates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in updates if each["kind"] == "history"]


def test_a_new_page_gets_people_time_and_logins(world: World, me: Page) -> None:
    updates = [each for make in SOURCES for each in make(world).updates()]
    people, clock, logins = updates
    assert isinstance(people, PeopleUpdate)
    assert isinstance(clock, ClockUpdate)
    assert isinstance(logins, LoginsUpdate)
    assert [face.id for face in people.people] == ["xiaoming", "ahua", "zhangsan", "lilei", "weekly"]
    assert (clock.now, clock.runs) == (world.now, False)
    assert (logins.waiting, [client.who for client in logins.open]) == ([], ["xiaoming"])


def test_only_a_changed_profile_is_pushed_again(open_page: OpenPage, world: World) -> None:
    world.change_profile("ahua", nickname="花花")
    (people,) = open_page.updates("people")
    assert [(face["id"], face["nickname"]) for face in people["people"]] == [("ahua", "花花")]


def test_a_portrait_is_shown_until_the_picture_changes(open_page: OpenPage, world: World) -> None:
    world.person("ahua").portrait = b"GIF89a"
    world.notify_watchers()
    assert [face["portrait"] for face in open_page.updates("people")[0]["people"]] == [True]
    world.change_profile("ahua", is_new_picture=True)
    (face,) = open_page.updates("people")[0]["people"]
    assert (face["picture"], face.get("portrait")) == ("ahua/2", None)


def test_a_login_is_pushed_from_its_code_to_its_end(open_page: OpenPage, world: World, page: Page) -> None:
    uuid = page.new_code()
    (logins,) = open_page.updates("logins")
    assert [(uuid, "new")] == [(code["uuid"], code["stage"]) for code in logins["waiting"]]
    world.scan("ahua", uuid)
    (logins,) = open_page.updates("logins")
    assert [(code["who"], code["stage"]) for code in logins["waiting"]] == [("ahua", "scanned")]
    world.cancel(uuid)
    assert open_page.updates("logins") == [{"kind": "logins", "waiting": [], "open": []}]
    page.login("ahua")
    assert [client["who"] for client in open_page.updates("logins")[-1]["open"]] == ["ahua"]
    world.log_out("ahua")
    assert open_page.updates("logins")[-1]["open"] == []


def test_without_changes_nothing_is_pushed(at_phone: OpenPage, world: World) -> None:
    world.say("ahua", "lilei", "between others")
    assert at_phone.updates() == []


def test_opening_a_phone_pushes_all_of_its_content(open_page: OpenPage, world: World) -> None:
    world.say("ahua", "me", "嗨")
    world.say("lilei", "hiking", "一")
    (phone,) = phones(open_page.say("look", who="xiaoming"))
    assert phone["whole"]
    assert [(row["id"], row["order"], row["unread"]) for row in phone["rows"]] == [("ahua", 1, 1), ("hiking", 2, 1)]
    assert {"id": "lilei", "remark": "Boss", "initials": "BOSS"} in phone["friends"]
    assert (phone["rooms"]) == [
        {"id": "hiking", "name": "周末爬山", "size": 4, "members": ["xiaoming", "ahua", "zhangsan", "lilei"]}
    ]
    assert phone["asked"] == []


def test_a_message_moves_its_chat_up_and_pushes_no_other_row(at_phone: OpenPage, world: World) -> None:
    world.say("ahua", "me", "一")
    world.say("lilei", "me", "二")
    at_phone.updates()
    world.say("ahua", "me", "三")
    (phone,) = at_phone.updates()
    assert [(r["id"], r["order"], r["unread"], r["last"]["text"]) for r in phone["rows"]] == [("ahua", 3, 2, "三")]
    assert "whole" not in phone


def test_a_chat_that_is_read_or_whose_message_is_recalled_stays_where_it_was(at_phone: OpenPage, world: World) -> None:
    message = world.say("ahua", "me", "一")
    world.say("lilei", "me", "二")
    at_phone.updates()
    world.read_chat(who="me", chat="ahua")
    assert [(row["id"], row["order"]) for row in at_phone.updates()[0]["rows"]] == [("ahua", 1)]
    world.recall("ahua", "me", message.id)
    (row,) = at_phone.updates()[0]["rows"]
    assert (row["order"], row["last"]) == (1, {"kind": "text", "from": "ahua", "recalled": True})


def test_a_client_that_reads_a_chat_clears_the_badge(at_phone: OpenPage, world: World, me: Page) -> None:
    world.say("ahua", "me", "一")
    at_phone.updates()
    world.mark_read(world.person("me"), "ahua")
    assert "unread" not in at_phone.updates()[0]["rows"][0]


def test_contacts_are_pushed_when_added_changed_and_removed(at_phone: OpenPage, world: World) -> None:
    world.add_person("陌生人", "stranger")
    world.ask_friend("stranger", "me", "你好")
    assert phones(at_phone.updates())[0]["asked"] == ["stranger"]
    world.accept_friend("me", "stranger")
    update = phones(at_phone.updates())[0]
    assert (update["friends"], update["asked"]) == ([{"id": "stranger"}], [])
    world.unfriend("me", "stranger")
    assert phones(at_phone.updates())[0]["gone"] == ["stranger"]
    world.set_blocked("me", "ahua", is_blocked=True)
    assert phones(at_phone.updates())[0]["friends"] == [{"id": "ahua", "blocked": True}]


def test_an_open_chat_begins_with_its_newest_messages_and_loads_older_ones_by_pages(
    at_phone: OpenPage, world: World
) -> None:
    for number in range(PAGE_OF_HISTORY * 2 + 5):
        world.say("ahua", "me", str(number))
    (newest,) = histories(at_phone.say("look", who="xiaoming", chat="ahua"))
    assert (
        newest["place"], newest["more"], newest["messages"][0]["text"], newest["messages"][-1]["text"],
    ) == ("all", True, "55", "104")  # fmt: skip
    (earlier,) = histories(at_phone.say("earlier", chat="ahua", before=newest["messages"][0]["id"]))
    assert (
        earlier["place"], earlier["more"], earlier["messages"][0]["text"], earlier["messages"][-1]["text"],
    ) == ("before", True, "5", "54")  # fmt: skip
    (oldest,) = histories(at_phone.say("earlier", chat="ahua", before=earlier["messages"][0]["id"]))
    assert (len(oldest["messages"]), oldest.get("more")) == (5, None)


def test_older_messages_are_pushed_as_far_back_as_requested(at_phone: OpenPage, world: World) -> None:
    first, second, *_ = [world.say("ahua", "me", str(number)) for number in range(PAGE_OF_HISTORY * 4)]
    (newest,) = histories(at_phone.say("look", who="xiaoming", chat="ahua"))
    before = newest["messages"][0]["id"]
    (earlier,) = histories(at_phone.say("earlier", chat="ahua", before=before, upto=second.id))
    assert (earlier["messages"][0]["id"], earlier["more"]) == (second.id, True)
    assert len(earlier["messages"]) == PAGE_OF_HISTORY * 3 - 1
    (rest,) = histories(at_phone.say("earlier", chat="ahua", before=second.id, upto="gone"))
    assert [each["id"] for each in rest["messages"]] == [first.id]


def found(updates: list[dict[str, Any]]) -> list[tuple[str, list[tuple[str, ...]]]]:
    return [
        (each["who"], [(hit["chat"], hit["text"]) for hit in each["hits"]])
        for each in updates
        if each["kind"] == "found"
    ]


def test_a_search_finds_the_newest_messages_of_all_chats_and_then_older_ones(at_phone: OpenPage, world: World) -> None:
    world.say("me", "ahua", "Where is the KEY?")
    world.wind(1)
    world.say("lilei", "hiking", "a" * 100 + " key " + "b" * 100)
    world.say("lilei", "ahua", "the key of others")
    world.wind(1)
    recalled = world.say("zhangsan", "me", "no key")
    at_phone.updates()
    key = "…" + "a" * 15 + " key " + "b" * 60
    assert found(at_phone.say("search", words=" Key ")) == [
        ("xiaoming", [("zhangsan", "no key"), ("hiking", key), ("ahua", "Where is the KEY?")])
    ]
    assert found(at_phone.updates()) == []
    world.recall("zhangsan", "me", recalled.id)
    assert found(at_phone.updates()) == [("xiaoming", [("hiking", key), ("ahua", "Where is the KEY?")])]
    assert [who for who, _ in found(at_phone.say("look", who="ahua"))] == ["ahua"]
    at_phone.say("search", words="")
    world.say("lilei", "ahua", "another key")
    assert found(at_phone.updates()) == []


def test_a_search_shows_fifty_messages_at_most(at_phone: OpenPage, world: World) -> None:
    for number in range(60):
        world.say("ahua", "me", f"word {number}")
    at_phone.updates()
    ((_, hits),) = found(at_phone.say("search", words="word"))
    assert (len(hits), hits[0]) == (50, ("ahua", "word 59"))


def test_an_open_chat_gets_new_and_recalled_messages(at_phone: OpenPage, world: World) -> None:
    message = world.say("ahua", "me", "一")
    at_phone.say("look", who="xiaoming", chat="ahua")
    world.say("me", "ahua", "二")
    (new,) = histories(at_phone.updates())
    assert (new["place"], [each["text"] for each in new["messages"]]) == ("after", ["二"])
    world.recall("ahua", "me", message.id)
    (again,) = histories(at_phone.updates())
    assert ("again", [(message.id, True)]) == (
        again["place"], [(each["id"], each["recalled"]) for each in again["messages"]],
    )  # fmt: skip
    assert histories(at_phone.updates()) == []


def test_deleted_messages_leave_an_open_chat(at_phone: OpenPage, world: World) -> None:
    first, second = world.say("ahua", "me", "一"), world.say("ahua", "me", "二")
    world.say("lilei", "me", "later")
    at_phone.say("look", who="xiaoming", chat="ahua")
    world.delete_messages("me", "ahua", [second.id])
    third = world.say("ahua", "me", "三")
    world.delete_messages("me", "ahua", [world.say("ahua", "me", "never seen").id])
    updates = at_phone.updates()
    (phone,), (gone, new) = phones(updates), histories(updates)
    assert (gone["place"], gone["deleted"]) == ("deleted", [second.id])
    assert (new["place"], [each["id"] for each in new["messages"]]) == ("after", [third.id])
    assert [row["last"]["text"] for row in phone["rows"] if row["id"] == "ahua"] == ["三"]
    world.delete_messages("me", "ahua")
    updates = at_phone.updates()
    assert phones(updates)[0]["emptied"] == ["ahua"]
    assert histories(updates)[0]["deleted"] == sorted([first.id, third.id])
    assert at_phone.updates() == []


def test_a_chat_stays_where_it_was_if_a_message_is_deleted(at_phone: OpenPage, world: World) -> None:
    world.say("ahua", "me", "一")
    message = world.say("ahua", "me", "二")
    world.say("lilei", "me", "later")
    at_phone.updates()
    world.delete_messages("me", "ahua", [message.id])
    rows = phones(at_phone.updates())[0]["rows"]
    assert [(row["order"], row["last"]["text"]) for row in rows] == [(1, "一"), (2, "later")]


def test_opening_a_chatroom_pushes_its_members_and_every_change(at_phone: OpenPage, world: World) -> None:
    updates = at_phone.say("look", who="xiaoming", chat="hiking")
    assert updates[0]["members"] == ["xiaoming", "ahua", "zhangsan", "lilei"]
    world.membership.leave(world.chatrooms["hiking"], world.person("ahua"))
    assert at_phone.updates("members")[0]["members"] == ["xiaoming", "zhangsan", "lilei"]


def test_the_chat_of_a_left_chatroom_keeps_its_name(at_phone: OpenPage, world: World) -> None:
    world.say("ahua", "hiking", "嗨")
    world.membership.leave(world.chatrooms["hiking"], world.person("me"))
    (room,) = phones(at_phone.updates())[-1]["rooms"]
    assert (room["id"], room["name"], room["left"]) == ("hiking", "周末爬山", True)


def test_a_chat_with_an_unknown_person_cannot_be_opened(at_phone: OpenPage, world: World) -> None:
    world.add_person("陌生人", "stranger")
    assert histories(at_phone.say("look", who="xiaoming", chat="stranger")) == []
    assert histories(at_phone.say("earlier", chat="stranger", before="1")) == []


def test_an_unknown_phone_pushes_nothing(open_page: OpenPage, world: World) -> None:
    assert open_page.say("look", who="unknown", chat="ahua") == []
