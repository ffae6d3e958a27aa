"""
Runs itchat, or one of its many forks, in its own process, by commands of a test.

The library is used by its public functions alone and, where a test names a server, by its configuration `BASE_URL`;
without one it calls the real hosts. Nothing in it is patched. The test itself scans the code.

A command is a line of JSON on stdin, and each has one answer, a line on stdout. Only `login` has two answers: first the
code to scan, and after its confirmation the account. Messages wait in a queue until `receive` takes them.

Three habits of the library need care: it writes a block character to stdout when it is imported, so it gets another
stdout; without a `qrCallback` it opens the code in the desktop's picture viewer; and older versions call a method that
Python 3.9 removed from the standard library, so this module adds it again.
"""

import hashlib
import html
import json
import os
import queue
import sys
from html.parser import HTMLParser
from typing import Any

ANSWERS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

if not hasattr(HTMLParser, "unescape"):
    HTMLParser.unescape = staticmethod(html.unescape)  # type: ignore[attr-defined]  # it was there until Python 3.8

import itchat  # noqa: E402 - after stdout has been taken away
from itchat.content import ATTACHMENT, NOTE, PICTURE, TEXT, VIDEO  # noqa: E402

received: queue.Queue[dict[str, object]] = queue.Queue()


def answer(**fields: object) -> None:
    ANSWERS.write(json.dumps(fields, ensure_ascii=False) + "\n")
    ANSWERS.flush()


@itchat.msg_register([TEXT, PICTURE, ATTACHMENT, VIDEO, NOTE], isFriendChat=True, isGroupChat=True)  # type: ignore[untyped-decorator]
def take(message: Any) -> None:
    media_file = message["Text"]() if message["Type"] in {PICTURE, ATTACHMENT, VIDEO} else None
    received.put({
        "type": message["Type"],
        "id": message["MsgId"],
        "from": message["FromUserName"],
        "to": message["ToUserName"],
        "text": "" if media_file is not None else message["Text"],
        "content": message["Content"],
        "file": message["FileName"],
        "md5": None if media_file is None else hashlib.md5(media_file).hexdigest(),
        "author": message.get("ActualNickName"),
    })  # fmt: skip


def login(server: str = "", saved: str = "") -> None:
    """Log in; with a file for the login, continue with the saved login, and save the new one there."""
    if server:
        itchat.config.BASE_URL = server

    def show(uuid: str, status: str, qrcode: bytes) -> None:
        if status == "0":
            answer(uuid=uuid, is_png=qrcode.startswith(b"\x89PNG"))

    def ended() -> None:
        received.put({"type": "Ended"})

    itchat.auto_login(
        hotReload=bool(saved),
        statusStorageDir=saved,
        qrCallback=show,
        loginCallback=lambda: None,
        exitCallback=ended,
    )
    me = itchat.search_friends()
    answer(logged_in=itchat.instanceList[0].alive, nickname=me["NickName"], id=me["UserName"], uin=me["Uin"])
    itchat.run(blockThread=False)


def contacts() -> None:
    answer(
        friends=[[each["NickName"], each["RemarkName"], each["UserName"]] for each in itchat.get_friends(update=True)],
        chatrooms=[
            [room["NickName"], room["UserName"], [member["NickName"] for member in room["MemberList"]]]
            for room in map(itchat.update_chatroom, (r["UserName"] for r in itchat.get_chatrooms(update=True)))
        ],
    )


def find(nickname: str) -> None:
    answer(id=itchat.search_friends(nickName=nickname)[0]["UserName"])


def send_text(to: str, text: str) -> None:
    answer(**itchat.send_msg(text, toUserName=to))


def send_image(to: str, path: str) -> None:
    answer(**itchat.send_image(path, toUserName=to))


def send_file(to: str, path: str) -> None:
    answer(**itchat.send_file(path, toUserName=to))


def send_video(to: str, path: str) -> None:
    answer(**itchat.send_video(path, toUserName=to))


def set_remark(of: str, remark: str) -> None:
    answer(**itchat.set_alias(of, remark))


def create_chatroom(members: list[str], topic: str) -> None:
    answer(**itchat.create_chatroom(people(members), topic=topic))


def rename_chatroom(chatroom: str, topic: str) -> None:
    answer(**itchat.set_chatroom_name(chatroom, topic))


def add_members(chatroom: str, members: list[str]) -> None:
    answer(**itchat.add_member_into_chatroom(chatroom, people(members)))


def remove_members(chatroom: str, members: list[str]) -> None:
    answer(**itchat.delete_member_from_chatroom(chatroom, people(members)))


def people(ids: list[str]) -> list[dict[str, str]]:
    return [{"UserName": each} for each in ids]


def recall(to: str, message_id: str) -> None:
    answer(**itchat.revoke(message_id, to))


def receive() -> None:
    answer(**received.get(timeout=100))


def logout() -> None:
    answer(**itchat.logout())


COMMANDS = {
    each.__name__: each
    for each in (
        login, contacts, find, receive, logout,
        send_text, send_image, send_file, send_video, recall,
        set_remark, create_chatroom, rename_chatroom, add_members, remove_members,
    )
}  # fmt: skip


def main() -> None:
    for line in sys.stdin:
        command = json.loads(line)
        COMMANDS[command.pop("do")](**command)


if __name__ == "__main__":
    main()
