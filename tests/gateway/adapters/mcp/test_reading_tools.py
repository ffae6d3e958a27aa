"""Tools that read: they show what the owner has listed, with names and numbers, in pages of at most 40 kB."""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.client.conftest import PNG

from webwx.gateway.adapters.mcp import agent as agent_module
from webwx.gateway.adapters.mcp import page_cursors, reading_tools, resources, shown_messages
from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.shown_messages import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gateway.adapters.mcp.conftest import AgentHere, MakeAgent


async def test_an_agent_sees_only_file_transfer_helper_at_first(here: AgentHere) -> None:
    theirs = await here.hear("lilei", "salary list")
    mine = await here.note("shopping list")
    assert [row.name for row in (await here.result("list_chats")).chats] == ["文件传输助手"]
    assert (await here.result("find_contact", query="Boss")).chats == []
    found = (await here.result("search_messages", query="list")).messages
    assert [each.message_id for each in found] == [mine]
    for tool, arguments in (
        ("read_messages", {"chat": "Boss"}),
        ("search_messages", {"query": "list", "chat": "Boss"}),
        ("wait_for_message", {"chat": "Boss", "timeout_s": 0}),
        ("list_members", {"chat": "周末爬山"}),
        ("list_recalled", {"chat": "Boss"}),
    ):
        assert (await here.failure(tool, **arguments)).outcome == "not_allowed"
    for tool in ("get_message", "get_media"):
        failure = await here.failure(tool, message_id=theirs)
        assert failure == await here.failure(tool, message_id="1")


async def test_a_listed_chat_is_read_with_names_and_numbers(
    make_agent: MakeAgent, number_of: Callable[[str], Any]
) -> None:
    boss = await number_of("Boss")
    here = make_agent(see=("filehelper", boss))
    first = await here.hear("lilei", "first")
    await here.hear("lilei", "second")
    await here.hear("ahua", "not for the agent")
    rows = await here.result("read_messages", chat="Boss")
    assert [each.text for each in rows.messages] == ["second", "first"]
    [_, oldest] = rows.messages
    assert (oldest.message_id, oldest.sender.name, oldest.is_self, oldest.by_webwx) == (first, "Boss", False, False)
    assert (oldest.chat.number, oldest.chat.name, oldest.chat.kind) == (boss, "Boss", "person")
    assert oldest.sender.number == boss
    assert (await here.result("read_messages", chat=boss)).messages == rows.messages
    assert (await here.result("read_messages", chat=str(boss))).messages == rows.messages
    [chat] = (await here.result("find_contact", query="bos")).chats
    assert (chat.number, chat.last_at) == (boss, rows.messages[0].time)
    assert (await here.result("get_message", message_id=first)).message == oldest


async def test_all_chats_can_be_allowed(make_agent: MakeAgent) -> None:
    here = make_agent(see=("*",))
    await here.hear("lilei", "list of the boss")
    await here.hear("ahua", "list of Ah Hua")
    found = (await here.result("search_messages", query="list")).messages
    assert [each.sender.name for each in found] == ["阿华", "Boss"]
    names = {row.name for row in (await here.result("list_chats")).chats}
    assert {"文件传输助手", "Boss", "阿华"} <= names
    rooms = (await here.result("list_chats", kind="chatroom")).chats
    members = await here.result("list_members", chat=rooms[0].number)
    assert "Boss" in {each.name for each in members.members} | {"Boss"}
    assert (await here.failure("list_members", chat="Boss")).code == "not-a-chatroom"
    here.world.say("lilei", "hiking", "at the mountain")
    await here.running.until_text("at the mountain")
    [in_room] = (await here.result("read_messages", chat=rooms[0].number, limit=1)).messages
    assert in_room.sender.number == (await here.client.who("Boss")).number != rooms[0].number
    boss = in_room.sender.number
    for author in ("Boss", boss, str(boss)):
        found = (await here.result("search_messages", query="list", **{"from": author})).messages
        assert [each.sender.name for each in found] == ["Boss"]
        waited = await here.result("wait_for_message", after=0, timeout_s=0, **{"from": author})
        assert {each.sender.number for each in waited.messages} == {boss}


async def test_pages_continue_where_the_last_one_ended(make_agent: MakeAgent, number_of: Callable[[str], Any]) -> None:
    here = make_agent(see=("filehelper", await number_of("Boss")))
    for count in range(4):
        await here.hear("lilei", f"word {count}")
        await here.note(f"word of mine {count}")
    whole = [each.text for each in (await here.result("search_messages", query="word")).messages]
    assert len(whole) == 8
    for tool, arguments in (("search_messages", {"query": "word"}), ("read_messages", {"chat": "Boss"})):
        wanted = whole if tool == "search_messages" else [each for each in whole if "mine" not in each]
        texts: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await here.result(tool, **arguments, limit=1, cursor=cursor)
            texts += [each.text for each in page.messages]
            cursor = page.next_cursor
        assert texts == wanted
    chats = await here.result("list_chats", limit=1)
    assert (await here.result("list_chats", limit=1, cursor=chats.next_cursor)).chats[0].name == "Boss"
    for wrong in ("x", "!", "WzFd", "bnVsbA"):
        assert (await here.failure("read_messages", cursor=wrong)).outcome == "refused"


async def test_a_search_of_many_chats_continues_with_its_cursor(make_agent: MakeAgent) -> None:
    here = make_agent(see=("filehelper",))
    for count in range(2):
        await here.note(f"word {count}")
    page = await here.result("search_messages", query="word", limit=1)
    places = page_cursors.read_cursor(page.next_cursor, dict[str, str | None])
    many = {**places, **{str(10_000 + number): "1234567-12345" for number in range(500)}}  # as of 500 listed chats
    again = await here.result("search_messages", query="word", limit=1, cursor=page_cursors.write_cursor(many))
    assert [each.text for each in again.messages] == ["word 0"]


@pytest.mark.parametrize("number", [2**53, 2**63, 10**30])
async def test_numbers_that_no_storage_has_are_answered(make_agent: MakeAgent, number: int) -> None:
    here = make_agent(see=("*",))
    cursor = page_cursors.write_cursor(number)
    assert (await here.result("list_recalled", cursor=cursor)).messages == []
    assert (await here.result("list_chats", cursor=cursor)).chats == []
    for tool, arguments in (
        ("wait_for_message", {"after": number, "timeout_s": 0}),
        ("read_messages", {"chat": number}),
    ):
        assert (await here.failure(tool, **arguments)).code == "invalid-arguments"


@pytest.mark.parametrize("uri", ["wx://[", "wx://default\u2100/chat/1", ":", ""])
async def test_an_address_that_is_none_is_no_resource(here: AgentHere, uri: str) -> None:
    with pytest.raises(ToolRefused, match="no such resource"):
        await resources.read_resource(here.agent, uri)


async def test_the_newest_event_is_found_behind_many_sends_without_reading_the_journal(
    here: AgentHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    for count in range(3):
        await here.note(f"note {count}")
    newest = await here.agent.position()
    for count in range(5):
        await here.client.send_text("filehelper", f"sent {count}")
    monkeypatch.setattr(agent_module, "_NEWEST", 2)
    starts: list[int] = []
    read = here.client.read_events

    async def noted(after: int = 0, **limits: Any) -> Any:
        starts.append(after)
        return await read(after, **limits)

    monkeypatch.setattr(here.client, "read_events", noted)
    assert await here.agent.position() == newest
    assert min(starts) > 0


async def test_a_wait_ends_in_time_although_many_other_messages_arrive(
    here: AgentHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = await here.agent.position()
    for count in range(4):
        await here.note(f"other {count}")
    monkeypatch.setattr(reading_tools, "_BATCH", 1)
    first = await here.result("wait_for_message", after=start, contains="other 3", timeout_s=0)
    assert (first.messages, first.timed_out) == ([], True)
    position = first.position
    while not (page := await here.result("wait_for_message", after=position, contains="other 3", timeout_s=0)).messages:
        assert page.position > position
        position = page.position
    assert [each.text for each in page.messages] == ["other 3"]


async def test_a_result_has_at_most_40_kb_and_a_long_text_is_continued(here: AgentHere) -> None:
    whole = "长" * 9_000 + "end"
    for count in range(12):
        await here.note(f"{count} {'长' * 1_400}")
    message_id = await here.note(whole)
    page = await here.result("read_messages", limit=200)
    assert len(msgspec.json.encode(page)) <= MOST_BYTES
    assert page.next_cursor is not None
    texts = [each.text for each in page.messages]
    while page.next_cursor is not None:
        page = await here.result("read_messages", limit=200, cursor=page.next_cursor)
        assert len(msgspec.json.encode(page)) <= MOST_BYTES
        texts += [each.text for each in page.messages]
    assert len(texts) == 13
    one = await here.result("get_message", message_id=message_id)
    assert len(msgspec.json.encode(one)) <= MOST_BYTES
    rest = await here.result("get_message", message_id=message_id, offset=len(one.message.text))
    assert one.message.text + rest.message.text == whole
    assert (one.message.text_left, rest.message.text_left) == (1_003, 0)


async def test_times_limit_what_is_read(here: AgentHere) -> None:
    await here.note("early")
    [early] = (await here.result("read_messages")).messages
    assert (await here.result("read_messages", since="2100-01-01T00:00:00Z")).messages == []
    assert (await here.result("read_messages", since=early.time, until=early.time)).messages == [early]
    assert (await here.failure("read_messages", since="yesterday")).outcome == "refused"


async def test_a_wait_returns_the_message_of_the_owner_and_not_the_agents_own(here: AgentHere) -> None:
    sent = await here.result("send_text", text="Shall I continue?")
    assert (await here.result("wait_for_message", timeout_s=0, after=sent.position)).timed_out
    waiting = asyncio.create_task(here.result("wait_for_message", chat="filehelper", after=sent.position))
    await here.note("yes")
    arrived = await waiting
    assert [(each.text, each.is_self, each.by_webwx) for each in arrived.messages] == [("yes", True, False)]
    again = await here.result("wait_for_message", timeout_s=0, after=arrived.position)
    assert (again.messages, again.timed_out) == ([], True)
    between = await here.result("wait_for_message", after=sent.position, contains="ye", **{"from": "me"})
    assert [each.text for each in between.messages] == ["yes"]
    assert (await here.result("wait_for_message", after=sent.position, contains="no", timeout_s=0)).timed_out
    from_now = await here.result("wait_for_message", timeout_s=0)
    assert (from_now.messages, from_now.timed_out) == ([], True)


async def test_a_wait_ignores_chats_that_the_agent_does_not_see(here: AgentHere) -> None:
    start = (await here.result("read_messages")).position
    await here.hear("lilei", "a secret")
    waited = await here.result("wait_for_message", after=start, timeout_s=0)
    assert (waited.messages, waited.timed_out) == ([], True)


async def test_a_picture_comes_as_an_image(make_agent: MakeAgent) -> None:
    here = make_agent(see=("*",))
    sent = await here.result("send_file", name="red.png", data=base64.b64encode(PNG).decode())
    here.running.world.say("ahua", "me", "after")
    await here.running.until_text("after")
    [row] = [each for each in (await here.result("read_messages")).messages if each.message_id == sent.message_id]
    assert row.kind == "image"
    failure = await here.failure("get_media", message_id=(await here.hear("ahua", "no picture")))
    assert failure.outcome in {"refused", "unavailable"}


async def test_recalled_messages_are_listed_with_their_text(
    make_agent: MakeAgent, number_of: Callable[[str], Any]
) -> None:
    boss = await number_of("Boss")
    here, blind = make_agent(see=(boss,)), make_agent()
    await here.hear("lilei", "a mistake")
    here.world.recall("lilei", "me")
    await here.hear("lilei", "after the recall")
    rows = (await here.result("list_recalled")).messages
    assert [(each.text, each.can_forward) for each in rows] == [("a mistake", True)]
    assert rows[0].recalled_at is not None
    assert (await blind.result("list_recalled")).messages == []


@pytest.mark.parametrize("batch", [200, 1])
async def test_no_tool_shows_a_recalled_message_as_one_that_is_still_there(
    make_agent: MakeAgent, number_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(shown_messages, "_RECALLS", batch)
    monkeypatch.setattr(reading_tools, "_BATCH", batch)
    boss = await number_of("Boss")
    here = make_agent(see=(boss,))
    start = await here.agent.position()
    kept = await here.hear("lilei", "a plan")
    for number in range(2):
        recalled = await here.hear("lilei", f"a plan of mine {number}")
        here.world.recall("lilei", "me")
        await here.hear("lilei", "after the recall")
    newest = await here.result("read_messages", chat=boss)
    pages: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await here.result("read_messages", chat=boss, limit=1, cursor=cursor)
        pages += page.messages
        cursor = page.next_cursor
    oldest = await here.result("read_messages", chat=boss, order="oldest", limit=200)
    found = await here.result("search_messages", query="plan")
    arrived: list[Any] = []
    while len(arrived) < 5:
        waited = await here.result("wait_for_message", chat=boss, after=start, timeout_s=0)
        arrived, start = [*arrived, *waited.messages], waited.position
    for messages in (newest.messages, pages, oldest.messages, found.messages, arrived):
        marks = {each.text: each.recalled_at for each in messages if each.kind != "recalled"}
        assert marks.pop("a plan") is None
        assert marks.pop("after the recall", None) is None
        assert None not in marks.values()
        assert marks.keys() == {"a plan of mine 0", "a plan of mine 1"}
    assert (await here.result("get_message", message_id=kept)).message.recalled_at is None
    assert (await here.result("get_message", message_id=recalled)).message.recalled_at is not None
    chat = (await resources.read_resource(here.agent, f"wx://default/chat/{boss}")).content
    assert [line for line in str(chat).splitlines() if "of mine" in line and '"recalled_at":null' in line] == []


async def test_a_recall_is_shown_also_if_a_later_one_has_an_earlier_time(
    make_agent: MakeAgent, number_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown_messages, "_RECALLS", 1)
    here = make_agent(see=(await number_of("Boss"),))
    recalled = []
    for number in range(2):
        recalled.append(await here.hear("lilei", f"a plan {number}"))
        here.world.recall("lilei", "me")
        await here.hear("lilei", f"after the recall {number}")
        here.world.clock.wind(-100)
    for each in recalled:
        assert (await here.result("get_message", message_id=each)).message.recalled_at is not None


async def test_the_login_and_the_limits_are_shown(make_agent: MakeAgent, number_of: Callable[[str], Any]) -> None:
    here = make_agent(see=("filehelper", await number_of("Boss")), sends=3)
    await here.result("send_text", text="one")
    status = await here.result("login_status")
    assert (status.account, status.nickname, status.state, status.sends_left) == ("default", "小明", "online", 2)
    since = here.client.state_since
    assert since is not None
    assert datetime.fromisoformat(status.since).timestamp() == int(since)
    at_gateway = await make_agent(at_gateway=True).result("login_status")
    assert datetime.fromisoformat(at_gateway.since).timestamp() == int(
        (await here.running.port.account(1).status()).since
    )
    assert [each.name for each in status.can_see] == ["文件传输助手", "Boss"]
    assert [each.name for each in status.can_write] == ["文件传输助手"]


async def test_a_login_that_has_ended_is_no_success(here: AgentHere) -> None:
    here.world.log_out("me")
    while (await here.running.port.account(1).check()).state != "logged_out":
        pass
    assert (await here.failure("wait_for_message", timeout_s=0)).outcome == "logged_out"
    assert (await here.failure("send_text", text="hello")).outcome == "logged_out"
    assert (await here.result("login_status")).state == "logged_out"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("read_messages", {"recipient": "Boss"}),
        ("read_messages", {"limit": 0}),
        ("read_messages", {"limit": "10"}),
        ("get_message", {}),
        ("wait_for_message", {"timeout_s": 51}),
        ("list_chats", {"kind": "secret"}),
    ],
)
async def test_arguments_that_are_not_in_the_schema_are_refused(
    here: AgentHere, tool: str, arguments: dict[str, Any]
) -> None:
    failure = await here.failure(tool, **arguments)
    assert (failure.outcome, failure.code) == ("refused", "invalid-arguments")


async def test_refused_reads_are_noted_once_a_minute(here: AgentHere) -> None:
    theirs = await here.hear("lilei", "salary list")
    for _ in range(3):
        await here.failure("read_messages", chat="Boss")
        await here.failure("search_messages", query="salary", chat="Boss")
        await here.failure("get_message", message_id=theirs)
        await here.failure("get_message", message_id="1")
        with pytest.raises(ToolRefused):
            await resources.read_resource(here.agent, "wx://default/chat/Boss")
    refused = "chat-not-allowed"
    assert here.audit == [
        (tool, "", refused) for tool in ("read_messages", "search_messages", "get_message", "read_resource")
    ]
    here.world.wind(61)
    await here.failure("read_messages", chat="Boss")
    assert here.audit[4:] == [("read_messages", "", refused)]


async def test_only_a_message_that_exists_is_noted_as_hidden(here: AgentHere) -> None:
    await here.failure("get_message", message_id="1")
    await here.failure("find_send", idempotency_key="never-used")
    assert here.audit == []


async def test_many_listed_chats_are_read_at_once_and_have_a_short_cursor(
    make_agent: MakeAgent, number_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_tools, "_MANY", 1)
    here = make_agent(see=("filehelper", await number_of("Boss")))
    for count in range(2):
        await here.note(f"word of mine {count}")
        await here.hear("ahua", "word of an unlisted chat")
        await here.hear("lilei", f"word {count}")
    texts: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await here.result("search_messages", query="word", limit=1, cursor=cursor)
        texts += [each.text for each in page.messages]
        cursor = page.next_cursor
        assert len(cursor or "") < 100
    assert texts == ["word 1", "word of mine 1", "word 0", "word of mine 0"]


async def test_a_wait_finds_a_word_at_the_end_of_a_long_message(here: AgentHere) -> None:
    start = await here.agent.position()
    await here.note("長" * 3_000 + "needle")
    arrived = await here.result("wait_for_message", after=start, contains="needle", timeout_s=0)
    assert len(arrived.messages) == 1


async def test_messages_are_read_from_the_oldest_in_pages(here: AgentHere, monkeypatch: pytest.MonkeyPatch) -> None:
    for count in range(3):
        await here.note(f"note {count}")
        await here.client.send_text("filehelper", f"sent {count}")
    newest = [each.text for each in (await here.result("read_messages")).messages]
    texts: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await here.result("read_messages", order="oldest", limit=1, cursor=cursor)
        texts += [each.text for each in page.messages]
        cursor = page.next_cursor
        if len(texts) == 2:
            await here.hear("lilei", "in another chat")
            here.world.wind(2)
            newest.insert(0, "meanwhile")
            await here.note("meanwhile")
    assert texts == newest[::-1]
    assert (await here.result("read_messages", order="oldest", limit=200)).next_cursor is None
    monkeypatch.setattr(reading_tools, "_MOST_OLDEST", 6)
    assert (await here.failure("read_messages", order="oldest")).code == "too-many-messages"
    [last] = (await here.result("read_messages", limit=1)).messages
    since = (await here.result("read_messages", order="oldest", since=last.time)).messages
    assert since[-1] == last


async def test_pages_from_the_oldest_have_at_most_40_kb_and_every_message(here: AgentHere) -> None:
    for count in range(12):
        await here.note(f"{count} {'长' * 1_400}")
    texts: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await here.result("read_messages", order="oldest", limit=200, cursor=cursor)
        assert len(msgspec.json.encode(page)) <= MOST_BYTES
        texts += [each.text.partition(" ")[0] for each in page.messages]
        cursor = page.next_cursor
    assert texts == [str(count) for count in range(12)]


async def test_a_message_that_arrives_late_is_on_a_later_page(here: AgentHere) -> None:
    await here.note("first")
    here.world.wind(2)
    for number in range(2):
        await here.client.send_text("filehelper", f"sent {number}")
    page = await here.result("read_messages", order="oldest", limit=2)
    assert [each.text for each in page.messages] == ["first", "sent 0"]
    here.world.clock.wind(-2)  # what arrives now has an earlier time than what was read
    await here.note("late")
    rest = await here.result("read_messages", order="oldest", cursor=page.next_cursor)
    assert sorted(each.text for each in rest.messages) == ["late", "sent 1"]


async def test_a_send_that_comes_back_leaves_nothing_out(here: AgentHere) -> None:
    for count in range(3):
        await here.note(f"note {count}")
    page = await here.result("read_messages", order="oldest", limit=1)
    event, _ = page_cursors.read_cursor(page.next_cursor, tuple[int, int])
    gone = page_cursors.write_cursor((event, 50))  # the send at the end of the page is an event now
    rest = await here.result("read_messages", order="oldest", cursor=gone)
    assert [each.text for each in rest.messages] == ["note 1", "note 2"]
