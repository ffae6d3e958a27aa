"""
Runs wxpy in its own process, by commands of a test.

There are two packages with the same public interface: wxpy itself, which uses itchat 1.2, and a fork published as
bl-wxpy, which has its own core. Both are used by that interface alone, and nothing in them is patched. Commands,
answers and the added method of the standard library are those of `itchat_driver`.
"""

import hashlib
import html
import inspect
import json
import os
import queue
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ANSWERS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

if not hasattr(HTMLParser, "unescape"):
    HTMLParser.unescape = staticmethod(html.unescape)  # type: ignore[attr-defined]  # it was there until Python 3.8

import wxpy  # noqa: E402 - after stdout has been taken away

MEDIA = {getattr(wxpy, kind) for kind in ("PICTURE", "IMAGE", "ATTACHMENT", "FILE", "VIDEO") if hasattr(wxpy, kind)}
"""Kinds of messages that have a file; each package has its own names."""

received: queue.Queue[dict[str, object]] = queue.Queue()
sent: dict[str, wxpy.SentMessage] = {}
bots: list[wxpy.Bot] = []


def answer(**fields: object) -> None:
    ANSWERS.write(json.dumps(fields, ensure_ascii=False) + "\n")
    ANSWERS.flush()


def open_bot() -> wxpy.Bot:
    """Log in; the packages differ in how a program gets the code."""
    if "qr_callback" in inspect.signature(wxpy.Bot).parameters:

        def show(uuid: str, status: str, qrcode: bytes) -> None:
            if status == "0":
                answer(uuid=uuid, is_png=qrcode.startswith(b"\x89PNG"))

        return wxpy.Bot(qr_callback=show, login_callback=lambda: None)
    return wxpy.Bot(hooks={"show_qrcode": lambda core: answer(uuid=core.uuid, is_png=Path(core.qr_path).exists())})


def login() -> None:
    bots.append(open_bot())
    [bot] = bots

    @bot.register(except_self=True)  # type: ignore[untyped-decorator]  # the package has no types
    def take(message: Any) -> None:
        media_file = message.get_file() if message.type in MEDIA else None
        received.put({
            "type": str(message.type),
            "id": str(message.id),
            "from": name_of(message.sender),
            "text": message.text if media_file is None else "",
            "md5": None if media_file is None else hashlib.md5(media_file).hexdigest(),
        })  # fmt: skip

    answer(nickname=bot.self.name, id=name_of(bot.self))


def name_of(chat: Any) -> str:
    """Return a chat's `UserName`, which has a different name in each package."""
    return str(chat.user_name if hasattr(chat, "user_name") else chat.username)


def listed(chats: Any) -> Any:
    """Return a list that is a method in one package and a property in the other."""
    return chats() if inspect.ismethod(chats) else chats


def contacts() -> None:
    [bot] = bots
    answer(
        friends=[[each.raw["NickName"], each.raw["RemarkName"], name_of(each)] for each in listed(bot.friends)],
        chatrooms=[
            [room.raw["NickName"], name_of(room), [member.raw["NickName"] for member in room.members]]
            for room in listed(bot.groups)
        ],
    )


def chat(name: str) -> Any:
    [bot] = bots
    return next(each for each in [*listed(bot.friends), *listed(bot.groups), bot.file_helper] if name_of(each) == name)


def find(nickname: str) -> None:
    [bot] = bots
    answer(id=next(name_of(each) for each in listed(bot.friends) if each.raw["NickName"] == nickname))


def keep(message: wxpy.SentMessage) -> None:
    sent[str(message.id)] = message
    answer(MsgID=str(message.id))


def send_text(to: str, text: str) -> None:
    keep(chat(to).send(text))


def send_image(to: str, path: str) -> None:
    keep(chat(to).send_image(path))


def send_file(to: str, path: str) -> None:
    keep(chat(to).send_file(path))


def send_video(to: str, path: str) -> None:
    keep(chat(to).send_video(path))


def recall(to: str, message_id: str) -> None:
    sent[message_id].recall()
    answer(to=to)


def receive() -> None:
    answer(**received.get(timeout=100))


def logout() -> None:
    [bot] = bots
    bot.logout()
    answer()


COMMANDS = {
    each.__name__: each
    for each in (
        login, contacts, find, receive, logout,
        send_text, send_image, send_file, send_video, recall,
    )
}  # fmt: skip


def main() -> None:
    for line in sys.stdin:
        command = json.loads(line)
        COMMANDS[command.pop("do")](**command)


if __name__ == "__main__":
    main()
