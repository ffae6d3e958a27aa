"""Fields of log records: which bot, event and chat a record is about, without a name."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from webwx.bot.log_fields import bind, bound_fields, log_fields, request_binding, unbind
from webwx.bot.threads import Threads
from webwx.model.contacts import ContactId
from webwx.model.events import LoopDetected
from webwx.model.messages import Event

CHAT = ContactId("@0123456789abcdef")
EVENT = LoopDetected(number=7, chat=CHAT, replies=20, seconds=60.0)


def test_chat_is_a_digest_of_its_id() -> None:
    fields = log_fields("shop", event=7, chat=CHAT)
    assert fields == {"bot": "shop", "event": 7, "chat": "4a0ffb5ed5b4"}
    assert fields["chat"] == log_fields("other", chat=CHAT)["chat"]


def test_fields_without_a_value_are_left_out() -> None:
    assert log_fields("shop") == {"bot": "shop"}
    assert log_fields("shop", timer="tick") == {"bot": "shop", "timer": "tick"}


def test_fields_are_bound_between_bind_and_unbind() -> None:
    request_binding()
    assert bound_fields() == {}
    outer = bind("shop", EVENT)
    inner = bind("shop", Event(number=8))
    assert bound_fields() == {"bot": "shop", "event": 8}
    unbind(inner)
    assert bound_fields() == log_fields("shop", event=7, chat=CHAT)
    unbind(outer)
    assert bound_fields() == {}


async def test_fields_are_bound_in_the_task_and_the_thread_of_a_handler_only() -> None:
    request_binding()
    seen: dict[str, object] = {}
    pool = Threads(1)

    async def handle(name: str) -> None:
        bind(name, EVENT)
        await asyncio.sleep(0)
        seen[name] = bound_fields()["bot"]
        seen[f"{name}, thread"] = (await pool.run(bound_fields))["bot"]

    await asyncio.gather(handle("one"), handle("other"))
    pool.end()
    assert seen == {"one": "one", "one, thread": "one", "other": "other", "other, thread": "other"}
    assert bound_fields() == {}


def test_nothing_is_bound_unless_a_formatter_asks_for_it() -> None:
    program = (
        "from webwx.bot.log_fields import bind, bound_fields; from webwx.model.messages import Event\n"
        "print(bind('shop', Event(number=7)), bound_fields())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "None {}\n"
