"""`webwx phone`, for chatrooms: who opens one, comes in, goes, and what it is called."""

from __future__ import annotations

import click

from webwx.cli.control import ask_phones
from webwx.cli.options import FreeTextCommand
from webwx.cli.session import Session, command


@command("create", examples=("webwx phone create me 电影 阿华 张三",))
@click.argument("who")
@click.argument("name")
@click.argument("people", nargs=-1, required=True)
async def create(session: Session, who: str, name: str, people: tuple[str, ...]) -> None:
    """Let WHO open a chatroom called NAME with PEOPLE, two at least."""
    opened = await ask_phones(session.settings.server, "create", {"who": who, "name": name, "people": people})
    session.output.result(f"{name or 'The chatroom'} is open ({opened['chat']}).", chat=opened["chat"])


@command("invite", examples=("webwx phone invite me 电影 李雷",))
@click.argument("who")
@click.argument("chat")
@click.argument("people", nargs=-1, required=True)
async def invite(session: Session, who: str, chat: str, people: tuple[str, ...]) -> None:
    """Let WHO bring PEOPLE into the chatroom CHAT, or send them invitations where it wants that."""
    await ask_phones(session.settings.server, "invite", {"who": who, "chat": chat, "people": people})
    session.output.result(f"{who} has invited {', '.join(people)} to {chat}.", invited=list(people))


@command("remove", examples=("webwx phone remove me 电影 李雷",))
@click.argument("who")
@click.argument("chat")
@click.argument("people", nargs=-1, required=True)
async def remove(session: Session, who: str, chat: str, people: tuple[str, ...]) -> None:
    """Let WHO, its owner, put PEOPLE out of the chatroom CHAT."""
    await ask_phones(session.settings.server, "remove", {"who": who, "chat": chat, "people": people})
    session.output.result(f"{', '.join(people)} is out of {chat}.", removed=list(people))


@command(
    "join",
    examples=("webwx phone join 张三 电影 me",),
)
@click.argument("who")
@click.argument("chat")
@click.argument("by", metavar="FROM")
async def join(session: Session, who: str, chat: str, by: str) -> None:
    """Let WHO open FROM's invitation to the chatroom CHAT."""
    await ask_phones(session.settings.server, "join", {"who": who, "chat": chat, "by": by})
    session.output.result(f"{who} is in {chat} now.", joined=True)


@command(
    "rename",
    cls=FreeTextCommand,
    examples=("webwx phone rename 阿华 周末爬山 周末游泳",),
)
@click.argument("who")
@click.argument("chat")
@click.argument("name")
async def rename(session: Session, who: str, chat: str, name: str) -> None:
    """Let WHO give the chatroom CHAT another NAME."""
    await ask_phones(session.settings.server, "rename", {"who": who, "chat": chat, "name": name})
    session.output.result(f"{chat} is called {name} now.", renamed=True)


@command(
    "leave",
    examples=("webwx phone leave 阿华 周末爬山",),
)
@click.argument("who")
@click.argument("chat")
async def leave(session: Session, who: str, chat: str) -> None:
    """Let WHO leave the chatroom CHAT."""
    await ask_phones(session.settings.server, "leave", {"who": who, "chat": chat})
    session.output.result(f"{who} has left {chat}.", left=True)


CHATROOM_COMMANDS = (create, invite, remove, join, rename, leave)
