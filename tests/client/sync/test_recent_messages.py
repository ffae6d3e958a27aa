"""Messages that a client without a journal remembers."""

from __future__ import annotations

from webwx.client.sync.recent_messages import MESSAGES, SEEN, RecentMessages
from webwx.model.contacts import ContactId
from webwx.model.messages import MessageRecalled, TextMessage

CHAT = ContactId("@peer")


def text(message_id: str, content: str = "hi", chat: ContactId = CHAT) -> TextMessage:
    return TextMessage(
        message_id=message_id, chat=chat, sender=chat, is_self=False, time=1, content=content, text=content
    )


def test_a_repeated_message_is_new_once() -> None:
    recent = RecentMessages()

    assert [recent.is_new(text(each)) for each in ("1", "2", "1")] == [True, True, False]


def test_different_messages_with_one_id_are_two() -> None:
    recent = RecentMessages()
    assert recent.is_new(text("1"))

    assert recent.is_new(text("1", content="something else"))
    assert recent.is_new(text("1", chat=ContactId("@other")))


def test_a_recall_is_not_a_message_of_its_id() -> None:
    recent = RecentMessages()
    recall = MessageRecalled(message_id="1", chat=CHAT, is_self=False, time=1, text="", content="hi")
    assert recent.is_new(text("1"))

    assert recent.is_new(recall)
    assert not recent.is_new(recall)


def test_a_limited_number_of_messages_is_remembered() -> None:
    recent = RecentMessages()
    for number in range(2 * SEEN):
        recent.is_new(text(str(number)))

    assert not any(recent.is_new(text(str(number))) for number in range(SEEN, 2 * SEEN))
    for number in range(2 * SEEN, 4 * SEEN):
        recent.is_new(text(str(number)))
    assert recent.is_new(text("0"))


def test_a_message_is_found_while_it_is_recent() -> None:
    recent = RecentMessages()
    for number in range(MESSAGES + 1):
        recent.messages.append(text(str(number)))

    assert recent.find("0") is None
    assert recent.find("1") == text("1")


def test_the_newest_of_those_with_one_id_is_found() -> None:
    recent = RecentMessages()
    recent.messages += (text("1", "old"), text("1", "new"))

    assert recent.find("1") == text("1", "new")


def test_the_repr_shows_no_message() -> None:
    assert repr(RecentMessages()) == "RecentMessages()"
