"""
`webwx phone` for every kind of message but texts and pictures, which `phone` has itself.

Each verb is one request to the sandbox's control API; `webwx.sandbox.sending` lists their fields.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from webwx.cli.control import ask_phones
from webwx.cli.options import FreeTextCommand
from webwx.cli.session import Session, command

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

SENDING: list[click.Command] = []
"""The verbs, for `phone` to take in."""


def _verb(
    name: str, example: str, *, cls: type[click.Command] = click.Command
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], click.Command]:
    """Make a verb whose first arguments are FROM and TO."""

    def decorate(work: Callable[..., Coroutine[Any, Any, None]]) -> click.Command:
        with_chat = click.argument("sender", metavar="FROM")(click.argument("to")(work))
        made = command(name, examples=(f"webwx phone {name} {example}",), cls=cls)(with_chat)
        SENDING.append(made)
        return made

    return decorate


async def _send(session: Session, verb: str, sender: str, to: str, **fields: Any) -> None:
    sent = await ask_phones(session.settings.server, verb, {"from": sender, "to": to, **fields})
    more = {"md5": sent["md5"]} if sent["md5"] else {}
    told = "".join(f", {name} {value}" for name, value in more.items())
    session.output.result(f"Sent to {to} (message {sent['message_id']}{told}).", message_id=sent["message_id"], **more)


def _base64(file: BinaryIO) -> str:
    return base64.b64encode(file.read()).decode()


# -- media -----------------------------------------------------------------------------------------------------------


@_verb("file", "阿华 me report.pdf")
@click.argument("file", type=click.File("rb"))
@click.option("--name", default="", help="Name it travels under; that of FILE when not given.")
async def send_file(session: Session, sender: str, to: str, file: BinaryIO, name: str) -> None:
    """Send FILE from FROM's phone."""
    name = name or Path(file.name).name
    await _send(session, "file", sender, to, name=name, content=_base64(file))


@_verb("video", "阿华 me waves.mp4 --seconds 12")
@click.argument("file", type=click.File("rb"))
@click.option("--seconds", type=int, default=1, show_default=True, help="How long it is said to play.")
@click.option("--short", is_flag=True, help="As what old phones call a short video.")
async def send_video(session: Session, sender: str, to: str, file: BinaryIO, seconds: int, short: bool) -> None:
    """Send the video FILE from FROM's phone."""
    await _send(session, "video", sender, to, content=_base64(file), seconds=seconds, short=short)


@_verb("voice", "阿华 me hello.mp3 --seconds 2.5")
@click.argument("file", type=click.File("rb"))
@click.option("--seconds", type=float, default=1.0, show_default=True, help="How long it is said to last.")
async def send_voice(session: Session, sender: str, to: str, file: BinaryIO, seconds: float) -> None:
    """Send the mp3 FILE as a voice message from FROM's phone."""
    await _send(session, "voice", sender, to, content=_base64(file), seconds=seconds)


@_verb("sticker", "阿华 me cat.gif")
@click.argument("file", type=click.File("rb"))
@click.option("--game", type=click.Choice(["rock-paper-scissors", "dice"]), default=None, help="It played this game.")
@click.option("--result", type=int, default=1, show_default=True, help="How that ended, as the platform numbers it.")
async def send_sticker(session: Session, sender: str, to: str, file: BinaryIO, game: str | None, result: int) -> None:
    """Send the GIF FILE as a sticker from FROM's phone."""
    played = {"game": game, "result": result} if game else {}
    await _send(session, "sticker", sender, to, content=_base64(file), **played)


@_verb("store-sticker", "阿华 me")
async def send_store_sticker(session: Session, sender: str, to: str) -> None:
    """Send a sticker of the store, which the web cannot download."""
    await _send(session, "store-sticker", sender, to)


# -- places and people -----------------------------------------------------------------------------------------------


@_verb("location", "阿华 me 39.908722 116.397499 天安门", cls=FreeTextCommand)
@click.argument("latitude", type=float)
@click.argument("longitude", type=float)
@click.argument("label")
@click.option("--name", default="[位置]", show_default=True, help="What the place is called.")
async def send_location(
    session: Session, sender: str, to: str, latitude: float, longitude: float, label: str, name: str
) -> None:
    """Send the place at LATITUDE and LONGITUDE, with the address LABEL."""
    await _send(session, "location", sender, to, latitude=latitude, longitude=longitude, label=label, name=name)


@_verb("live-location", "阿华 me")
async def send_live_location(session: Session, sender: str, to: str) -> None:
    """Begin to share FROM's location."""
    await _send(session, "live-location", sender, to)


@_verb("card", "阿华 me 李雷")
@click.argument("person")
async def send_card(session: Session, sender: str, to: str, person: str) -> None:
    """Recommend PERSON."""
    await _send(session, "card", sender, to, person=person)


@_verb("ask", '李雷 me "我是李雷"', cls=FreeTextCommand)
@click.argument("greeting", default="")
async def ask(session: Session, sender: str, to: str, greeting: str) -> None:
    """Let FROM ask TO to become a friend."""
    await _send(session, "ask", sender, to, greeting=greeting)


@_verb("call", "阿华 me")
@click.argument("type_", metavar="[call|invite|end]", type=click.Choice(["call", "invite", "end"]), default="call")
async def call(session: Session, sender: str, to: str, type_: str) -> None:
    """Call TO, or end a call."""
    await _send(session, "call", sender, to, type=type_)


# -- from apps -------------------------------------------------------------------------------------------------------


@_verb("link", "阿华 me 标题 https://example.org/", cls=FreeTextCommand)
@click.argument("title")
@click.argument("url")
@click.option("--description", default="", help="The lines below the title.")
async def send_link(session: Session, sender: str, to: str, title: str, url: str, description: str) -> None:
    """Send a link."""
    await _send(session, "link", sender, to, title=title, url=url, description=description)


@_verb("music", "阿华 me 茉莉花 https://example.org/song --artist 民歌", cls=FreeTextCommand)
@click.argument("title")
@click.argument("url")
@click.option("--artist", default="", help="Who plays.")
@click.option("--sound-url", default="", help="Address of the sound itself.")
async def send_music(session: Session, sender: str, to: str, title: str, url: str, artist: str, sound_url: str) -> None:
    """Send a piece of music."""
    await _send(session, "music", sender, to, title=title, url=url, artist=artist, sound_url=sound_url)


@_verb("mini-program", "阿华 me 拼车 --program 出行", cls=FreeTextCommand)
@click.argument("title")
@click.option("--program", default="", help="Name of the mini program.")
@click.option("--page", default="", help="Page of it that opens.")
async def send_mini_program(session: Session, sender: str, to: str, title: str, program: str, page: str) -> None:
    """Send a mini program's card."""
    await _send(session, "mini-program", sender, to, title=title, program=program, page=page)


@_verb("quote", '阿华 me 4600000000000000001 "Yes!"', cls=FreeTextCommand)
@click.argument("message_id", metavar="ID")
@click.argument("text")
async def send_quote(session: Session, sender: str, to: str, message_id: str, text: str) -> None:
    """Reply to the message ID with TEXT."""
    await _send(session, "quote", sender, to, message_id=message_id, text=text)


@_verb("history", "阿华 me 群聊的聊天记录 '张三: 在吗' '李雷: 在'", cls=FreeTextCommand)
@click.argument("title")
@click.argument("lines", nargs=-1)
async def send_history(session: Session, sender: str, to: str, title: str, lines: tuple[str, ...]) -> None:
    """Send several messages merged into one."""
    await _send(session, "history", sender, to, title=title, lines=lines)


@_verb("transfer", "阿华 me 午饭", cls=FreeTextCommand)
@click.argument("description", default="")
async def send_transfer(session: Session, sender: str, to: str, description: str) -> None:
    """Send money, in play."""
    await _send(session, "transfer", sender, to, description=description)


@_verb("red-packet", "阿华 周末爬山 新年快乐", cls=FreeTextCommand)
@click.argument("wish", default="恭喜发财，大吉大利")
async def send_red_packet(session: Session, sender: str, to: str, wish: str) -> None:
    """Send a red packet, in play."""
    await _send(session, "red-packet", sender, to, wish=wish)


# -- from nobody -----------------------------------------------------------------------------------------------------


@_verb("notice", "me 周末爬山 '\"阿华\"修改群名为“周末游泳”'", cls=FreeTextCommand)
@click.argument("text")
@click.option("--xml", default="", help="The same as <sysmsg>, when it is to come as XML.")
async def notice(session: Session, sender: str, to: str, text: str, xml: str) -> None:
    """Show the grey line TEXT on FROM's phone, in the chat TO."""
    await _send(session, "notice", sender, to, text=text, xml=xml)


@_verb("raw", "阿华 me 49 '<msg><appmsg>…</appmsg></msg>' --app-type 16", cls=FreeTextCommand)
@click.argument("type_", metavar="TYPE", type=int)
@click.argument("content", default="")
@click.option("--app-type", type=int, default=0, show_default=True, help="AppMsgType, of type 49.")
async def send_raw(session: Session, sender: str, to: str, type_: int, content: str, app_type: int) -> None:
    """Send anything: TYPE is the platform's MsgType, CONTENT what it holds before escaping."""
    await _send(session, "raw", sender, to, type=type_, content=content, app_type=app_type)
