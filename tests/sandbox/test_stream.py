from __future__ import annotations

import pytest

from webwx.protocol.codes import Selector
from webwx.protocol.messages import WireMessage
from webwx.protocol.sync import DeletedContact, SyncKey
from webwx.sandbox.stream import ChangeStream


@pytest.fixture
def stream() -> ChangeStream:
    return ChangeStream(started=1_560_000_000)


def message(number: int) -> WireMessage:
    return WireMessage(msg_id=str(number))


def test_a_new_stream_is_at_its_first_position(stream: ChangeStream) -> None:
    assert str(stream.newest) == "1_700000001|2_700000002|3_700000003|1000_1560000000"
    assert stream.selector(stream.newest) == Selector.NOTHING


def test_messages_and_contacts_have_separate_counters(stream: ChangeStream) -> None:
    start = stream.newest
    stream.add(message(1), Selector.MESSAGES)
    stream.add(DeletedContact(user_name="@a"), Selector.CONTACT_ADDED)
    assert str(stream.newest) == "1_700000002|2_700000003|3_700000003|1000_1560000000"
    assert stream.fetch(start, 10).key == stream.newest


def test_a_waiting_message_determines_the_selector_whatever_is_older(stream: ChangeStream) -> None:
    start = stream.newest
    stream.add(DeletedContact(user_name="@a"), Selector.CONTACT_ADDED)
    assert stream.selector(start) == Selector.CONTACT_ADDED
    stream.add(message(1), Selector.PHONE_ACTIVITY)
    stream.add(message(2), Selector.MESSAGES)
    assert stream.selector(start) == Selector.MESSAGES
    stream.add(message(3), Selector.PHONE_ACTIVITY)
    assert stream.selector(stream.fetch(start, 3).key) == Selector.PHONE_ACTIVITY


def test_on_request_the_oldest_waiting_change_determines_the_selector(stream: ChangeStream) -> None:
    start = stream.newest
    stream.add(DeletedContact(user_name="@a"), Selector.CONTACT_ADDED)
    stream.add(message(1), Selector.MESSAGES)
    assert stream.selector(start, is_oldest=True) == Selector.CONTACT_ADDED
    assert stream.selector(stream.fetch(start, 1).key, is_oldest=True) == Selector.MESSAGES


def test_a_resumed_stream_still_announces_its_messages(stream: ChangeStream) -> None:
    start = stream.newest
    stream.add(DeletedContact(user_name="@a"), Selector.CONTACT_ADDED)
    stream.add(message(1), Selector.MESSAGES)
    again = ChangeStream.resume(stream.counters, stream.changes, stream.silent)
    assert again.selector(start) == Selector.MESSAGES


def test_batches_are_complete_and_oldest_first(stream: ChangeStream) -> None:
    key, got = stream.newest, []
    for number in range(7):
        stream.add(message(number), Selector.MESSAGES)
    while stream.selector(key):
        batch = stream.fetch(key, 3)
        got += [change.item.msg_id for change in batch.changes if isinstance(change.item, WireMessage)]
        key = batch.key
    assert got == [str(number) for number in range(7)]


def test_the_check_key_is_the_fetch_key_until_a_silent_change(stream: ChangeStream) -> None:
    batch = stream.fetch(SyncKey(), 10)
    assert batch.check_key == batch.key
    stream.add_silent()
    batch = stream.fetch(batch.key, 10)
    assert (stream.selector(batch.key), stream.selector(batch.check_key)) == (Selector.PHONE_ACTIVITY, Selector.NOTHING)
