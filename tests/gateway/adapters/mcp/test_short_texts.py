"""Every structured result has at most 40 kB, whatever other people have written, and nothing is lost without a mark."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from webwx.gateway.adapters.mcp.short_texts import first_part, short_text
from webwx.gateway.adapters.mcp.shown_messages import MOST_BYTES
from webwx.sandbox import contents

if TYPE_CHECKING:
    from tests.gateway.adapters.mcp.conftest import AgentHere, MakeAgent

CHARACTERS = st.sampled_from(["a", "长", "😀", '"', "\\", "\x01", "\u2028", "<b>"])
SIZES = st.sampled_from([0, 1, 199, 200, 201, 1_499, 1_501, 8_001, 30_000])
HOSTILE = st.builds(lambda character, size: character * size, CHARACTERS, SIZES)


@given(HOSTILE | st.text(), st.integers(1, 9_000))
def test_a_part_is_the_longest_begin_that_fits(text: str, most: int) -> None:
    part = first_part(text, most)
    size = len(msgspec.json.encode(part)) - 2
    assert text.startswith(part)
    assert (len(part), size) <= (most, most * 3)
    assert size <= most * 3
    if part != text and len(part) < most:
        assert len(msgspec.json.encode(text[: len(part) + 6])) - 2 > most * 3 - 36
    short = short_text(text, most)
    assert short == text or short == part[:-1] + "…"


def is_short(result: Any) -> Any:
    """Return a result whose JSON is short enough."""
    assert len(msgspec.json.encode(result)) <= MOST_BYTES, type(result)
    return result


async def all_pages(here: AgentHere, tool: str, **arguments: Any) -> list[Any]:
    """Return what all pages of a tool have."""
    items: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = is_short(await here.result(tool, **arguments, cursor=cursor))
        rows = next(getattr(page, name) for name in ("messages", "chats", "members") if hasattr(page, name))
        assert rows or page.next_cursor is None
        items += rows
        cursor = page.next_cursor
    return items


async def test_hostile_names_and_texts_are_read_in_pages(make_agent: MakeAgent) -> None:
    here = make_agent(see=("*",), write=("*",))
    loop = asyncio.get_running_loop()
    position = 0

    async def arrive(name: str, text: str) -> None:
        nonlocal position
        here.world.change_profile("lilei", nickname=name)
        here.world.set_remark(here.world.person("me"), "ahua", name)
        message = here.world.say("lilei", "me", text or "empty")
        here.world.file("lilei", "me", b"x", name or "x")
        here.world.send(
            "lilei", "me", contents.link(here.world.person("lilei"), text, f"https://example.com/{name}", name)
        )
        here.world.quote("lilei", "me", message.id, text or "empty")
        here.world.say("lilei", "me", name or "empty")
        here.world.recall("lilei", "me")
        await here.hear("lilei", f"mark {position}")
        arrived = is_short(await here.result("wait_for_message", after=position, timeout_s=0))
        assert arrived.messages
        [room] = [each for each in await all_pages(here, "list_chats", limit=200) if each.kind == "chatroom"]
        assert len(await all_pages(here, "list_members", chat=room.number)) == 4
        [boss] = {each.chat.number for each in arrived.messages}
        assert is_short(await here.result("read_messages", chat=boss, limit=200)).messages
        told = ""
        while len(told) < len(text or "empty"):
            one = is_short(await here.result("get_message", message_id=message.id, offset=len(told))).message
            told += one.text
            assert len(told) + one.text_left == len(text or "empty")
        assert told == (text or "empty")
        for tool, arguments in (
            ("search_messages", {"query": "mark", "limit": 200}), ("list_recalled", {"limit": 100}),
        ):  # fmt: skip
            assert is_short(await here.result(tool, **arguments)).messages
        sent = is_short(await here.result("send_text", text="x", chat=boss))
        is_short(await here.result("find_send", message_id=sent.message_id))
        is_short(await here.result("login_status"))
        position = (await here.result("wait_for_message", timeout_s=0)).position

    @settings(max_examples=10, phases=[Phase.generate])  # the world of an example is that of the ones before
    @given(HOSTILE, HOSTILE)
    def check(name: str, text: str) -> None:
        asyncio.run_coroutine_threadsafe(arrive(name, text), loop).result()

    await asyncio.to_thread(check)
