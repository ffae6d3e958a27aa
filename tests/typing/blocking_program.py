"""
A script with the blocking client, and the types that a checker must infer in it. Checked by `make check`, never run.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import assert_type
from urllib.request import urlopen

from webwx import (
    Account,
    Admission,
    ApiError,
    BlockingEventStream,
    Client,
    Contact,
    Contacts,
    DeadLetter,
    Event,
    ImageMessage,
    LoggedOut,
    LoginFile,
    LoginMemory,
    Lookup,
    MessageRecalled,
    Outgoing,
    Publication,
    QrCode,
    RecallExpired,
    Receipt,
    SqliteJournal,
    TextMessage,
    Timeouts,
    to_json,
)


def show(code: QrCode) -> None:
    assert_type(code.svg(), str)
    assert_type(code.png(), bytes)
    assert_type(code.url, str)


def log_in(path: Path) -> None:
    with Client(server="http://127.0.0.1:8790", store=LoginFile(path), timeouts=Timeouts(call=5)) as client:
        assert_type(client, Client)
        assert_type(client.login(show_qr=show), Account)
        assert_type(client.login(show_qr=print, max_codes=1), Account)
        assert_type(client.resume(), Account)
        assert_type(client.check(), Account)
        assert_type(client.account.nickname, str)


def send(client: Client, to: Contact) -> None:
    receipt = client.send_text(to, "hello")
    assert_type(receipt, Receipt)
    assert_type(client.send_image("filehelper", Path("photo.jpg")), Receipt)
    assert_type(client.send_image("filehelper", b"...", name="photo.jpg"), Receipt)
    assert_type(client.send_image("filehelper", io.BytesIO(b"...")), Receipt)
    with Path("a.pdf").open("rb") as stream, urlopen("http://127.0.0.1:8790") as answer:
        assert_type(client.send_file("filehelper", stream), Receipt)
        assert_type(client.send_file("filehelper", answer), Receipt)
    assert_type(receipt.to_json(), str)
    assert_type(to_json(receipt), str)
    assert_type(Receipt.from_json(receipt.to_json()), Receipt)
    assert_type(receipt.can_recall(0.0), bool)
    try:
        client.recall(receipt)
    except RecallExpired as error:
        assert_type(error.ret, int | None)
    except LoggedOut as error:
        assert_type(error.reason, str)
    except ApiError as error:
        assert_type(error.endpoint, str)


def look_people_up(client: Client) -> None:
    assert_type(client.contacts, Contacts)
    assert_type(client.list_contacts(), list[Contact])
    assert_type(client.contacts.find(remark="Boss"), Contact)
    assert_type(client.contacts.get("filehelper"), Contact | None)
    assert_type([contact.display_name for contact in client.contacts], list[str])
    assert_type(client.get_contacts(["@a"]), Lookup)
    assert_type(client.list_chats(), list[Contact])
    assert_type(client.list_articles(), list[Publication])
    assert_type(client.set_remark("Boss", ""), Contact)
    assert_type(client.set_pinned("Boss", False), Contact)
    assert_type(client.download_avatar("Boss"), bytes)


def gather(client: Client) -> None:
    admission = client.create_chatroom(["阿华", client.contacts.find(remark="Boss")], name="电影")
    assert_type(admission, Admission)
    assert_type(client.add_members(admission.chatroom, admission.refused), Admission)
    assert_type(client.invite_members("电影", admission.chatroom.members), Admission)
    assert_type(client.remove_members("电影", ["阿华"]), Contact)
    assert_type(client.rename_chatroom("电影", "戏剧"), Contact)
    client.leave_chatroom("戏剧")


def listen(client: Client) -> None:
    events = client.events(include_all=False)
    assert_type(events, BlockingEventStream)
    assert_type(next(events), Event)
    events.ack()
    for event in events:
        match event:
            case TextMessage(text="ping"):
                assert_type(client.reply(event, "pong"), Receipt)
            case ImageMessage():
                assert_type(event.can_forward, bool)
                assert_type(client.download(event), bytes)
                assert_type(client.forward(event, "filehelper"), Receipt)
            case MessageRecalled(original=ImageMessage() as original):
                assert_type(original, ImageMessage)
                client.forward(original, "filehelper")
            case _:
                pass


def keep(client: Client) -> None:
    with client.events("archive", follow=False) as events:
        for event in events:
            assert_type(event.number, int)
            assert_type(event.redelivered, bool)
            events.ack()
    for message in client.history("Boss", limit=10):
        assert_type(message, Event | Outgoing)
        if isinstance(message, Outgoing):
            assert_type(message.receipt, Receipt | None)
    assert_type(client.search("备份"), list[Event | Outgoing])
    assert_type(client.history_page("Boss").before, str | None)
    assert_type(client.find_message("1"), Event | None)
    assert_type(client.list_sends("unknown"), list[Outgoing])
    assert_type(client.read_events(7), list[Event])
    assert_type(client.queue_text("Boss", "later"), Outgoing)
    assert_type(client.find_send(key="1"), Outgoing | None)
    for send in client.follow_sends():
        assert_type(send, Outgoing)
    assert_type(client.send_text("Boss", "once", key="2026-11-24"), Receipt)
    assert_type(client.state_since, float | None)
    assert_type(client.last_sync_at, float | None)
    for letter in client.list_dead_letters():
        assert_type(letter, DeadLetter)
        assert_type(client.revive(letter.event.number), bool)


def main() -> None:
    client = Client(host="filehelper", store=LoginMemory(), journal="me.journal")
    client.close()
    with SqliteJournal("me.journal") as journal, Client(journal=journal) as client:
        print(client)
