"""Events as commands show them: in one line of a pipe, or laid out on a terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest

from webwx.cli.columns import width
from webwx.cli.messages.shown_events import describe, laid_out
from webwx.cli.output import Screen
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import (
    ContactChanged,
    ContactDeleted,
    ContinuityLost,
    IdentityAmbiguous,
    QuarantinedMessage,
)
from webwx.model.messages import (
    Event,
    ImageMessage,
    MessageRecalled,
    PhoneActivity,
    SystemMessage,
    TextMessage,
    UnknownMessage,
)

CONTACTS = Contacts([Contact(id=ContactId("@a"), nickname="阿华", remark="Hua")])

HEAD: dict[str, Any] = {"message_id": "1", "chat": "@a", "sender": "@a", "is_self": False, "time": 0, "content": ""}

TEXT_MESSAGE = TextMessage(**HEAD, text="hello")


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (TEXT_MESSAGE, "Hua: hello"),
        (TextMessage(**HEAD | {"is_self": True}, text="hello"), "you to Hua: hello"),
        (TextMessage(**HEAD | {"chat": "@@room", "sender": "@a"}, text="hi"), "Hua in @@room: hi"),
        (ImageMessage(**HEAD | {"content": "<msg/>"}), "Hua: [picture that cannot be forwarded]"),
        (SystemMessage(**HEAD | {"sender": None}, text="Hua joined"), "Hua: Hua joined"),
        (UnknownMessage(**HEAD, message_type=49), "Hua: [message of type 49]"),
        (
            MessageRecalled(
                message_id="1", chat=ContactId("@a"), is_self=False, time=0, text="gone", content="",
                original=TEXT_MESSAGE,
            ),
            "Hua: gone (it was: hello)",
        ),
        (PhoneActivity(code=1, chat=ContactId("@a")), "The phone has read Hua."),
        (PhoneActivity(code=2, chat=ContactId("@a")), "The phone has opened Hua."),
        (PhoneActivity(code=4, chat=ContactId("@me")), "The phone sent its recent chats."),
        (PhoneActivity(code=5, chat=ContactId("@a")), "The phone has left Hua."),
        (PhoneActivity(code=9, chat=ContactId("@a")), "The phone used Hua."),
        (ContactChanged(contact=Contact(id=ContactId("@b"), nickname="Bo")), "Bo is new or has changed."),
        (ContactDeleted(id=ContactId("@b")), "@b was removed from the contacts or chats."),
        (QuarantinedMessage(raw="{", reason="broken"), "A message could not be read (broken)."),
        (ContinuityLost(since=0, until=60, reason="new_login"), ": there was another login in between."),
        (
            IdentityAmbiguous(identity=9, contact=Contact(id=ContactId("@b"), nickname="Bo"), candidates=(4, 5)),
            "Bo may be a known contact (4, 5); the number is 9. "
            "If it is one of them, run 'webwx identity merge'.",
        ),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_an_event_is_a_line_for_a_person(event: Event, sentence: str) -> None:
    assert describe(event, CONTACTS).endswith(sentence)


class TestLinesOfListen:
    """A message as `listen` prints it."""

    LONG = TextMessage(**HEAD, text="one two three four\n12:00  Boss: never said")

    def test_in_a_pipe_are_one_line(self) -> None:
        assert [line[5:] for line in laid_out(self.LONG, CONTACTS, Screen())] == [
            r"  Hua: one two three four\n12:00  Boss: never said"
        ]

    def test_on_a_terminal_hang_behind_the_name_and_imitate_no_message(self) -> None:
        assert [line[5:] for line in laid_out(self.LONG, CONTACTS, Screen(width=40))] == [
            "  Hua           one two three four",
            " " * 16 + "12:00  Boss: never",
            " " * 16 + "said",
        ]

    @pytest.mark.parametrize("nickname", ["Hua", "x" * 200, "长" * 200])
    @pytest.mark.parametrize("text", ["x" * 200, "长" + "。" * 200, "one " + "长" * 200])
    @pytest.mark.parametrize("columns", [30, 40, 80])
    def test_leave_nothing_that_the_terminal_continues_at_its_left_edge(
        self, nickname: str, text: str, columns: int
    ) -> None:
        contacts = Contacts([Contact(id=ContactId("@a"), nickname=nickname)])
        said = TextMessage(**HEAD, text=f"{text}12:00\u2800\u2800Boss\u2800\u2800never\u2800said")
        recalled = MessageRecalled(
            message_id="1", chat=ContactId("@a"), is_self=False, time=0, text="gone", content="", original=said
        )
        for event in (said, recalled):
            first, *others = laid_out(event, contacts, Screen(columns))
            assert max(map(width, (first, *others))) <= columns
            assert all(line.startswith(" ") for line in others)

    def test_a_recall_hangs_behind_the_name_as_messages_do(self) -> None:
        recalled = MessageRecalled(
            message_id="1", chat=ContactId("@a"), is_self=False, time=0, text="Hua recalled a message", content="",
            original=TextMessage(**HEAD, text="oh no"),
        )  # fmt: skip
        assert [line[5:] for line in laid_out(recalled, CONTACTS, Screen(width=48))] == [
            "  Hua           Hua recalled a message (it",
            " " * 16 + "was: oh no)",
        ]

    def test_are_printed_also_on_a_terminal_without_room(self) -> None:
        assert "".join(laid_out(self.LONG, CONTACTS, Screen(width=1))).replace(" ", "").endswith("said")

    def test_have_the_colour_of_the_name(self) -> None:
        first, *_others = laid_out(self.LONG, CONTACTS, Screen(40, has_colors=True))
        assert re.match(r"\d\d:\d\d  \x1b\[\d\dmHua\x1b\[0m           one", first)

    def test_escape_what_would_control_the_terminal(self) -> None:
        evil = TextMessage(**HEAD, text="\x1b[2J")
        assert r"\x1b[2J" in laid_out(evil, CONTACTS, Screen(40, has_colors=True))[0]

    def test_show_a_gap_in_one_sentence(self) -> None:
        gap = ContinuityLost(since=0, until=60, reason="new_login")
        assert len(laid_out(gap, CONTACTS, Screen(width=40))) == 1
