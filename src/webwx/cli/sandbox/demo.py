"""
`webwx demo`: the main features, over real HTTP against a server in this process.

Two people log in with one client each. A returned call proves nothing, so each step is verified on the server, or in
what the other client received, before it is printed as done.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click.exceptions

from webwx.cli.language import _
from webwx.cli.output import Screen, printable
from webwx.cli.sandbox import pictures
from webwx.cli.session import Session, command
from webwx.cli.wrapping import hanging
from webwx.client.client import AsyncClient
from webwx.errors import MediaUnavailable, WxError
from webwx.model.contacts import FILEHELPER
from webwx.model.messages import Event, ImageMessage, MessageRecalled, TextMessage
from webwx.outcomes import Exit
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve
from webwx.sandbox.world import default_world
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.model.contacts import Contact
    from webwx.model.login import QrCode
    from webwx.sandbox.people import WorldChat, WorldMessage
    from webwx.sandbox.world import World

E = TypeVar("E", bound=Event)

PATIENCE = 20.0
"""Maximum seconds until an event reaches the other client."""

ME, FRIEND = "xiaoming", "ahua"
"""World ids of the two people."""

QUESTION = "你好，阿华！今天一起吃饭吗？🍜👋"
TEXT = f"{QUESTION} <b>&amp; plain text</b>"
"""Chinese, emoji, and characters that look like markup."""


class NotVerified(Exception):
    """The server, or the other client, does not show the result of a step."""


@dataclass(frozen=True)
class Done:
    """A step that was done and verified."""

    sentence: str
    """Line for people."""
    details: dict[str, Any]
    """Fields for `--json`."""


@command("demo", examples=("webwx demo", "webwx demo --json"))
async def demo(session: Session) -> None:
    """
    Show the main features against a server in this process.

    Starts a sandbox on a free port, logs in two people over HTTP, and then sends a text, marks a chat as read, recalls
    a message, and forwards a picture that was recalled. Verifies every step on the server before printing it. Needs no
    account and no network, and leaves no files.
    """
    async with AsyncExitStack() as stack:
        # Each step compares the bytes of a picture with those that were sent.
        world = default_world(options=Options(picture_format="sent"))
        served = await serve(SandboxCore(world))
        stack.push_async_callback(served.close)
        # That a recalled picture is gone is believed after three tries; this server does not change its mind meanwhile.
        timeouts = Timeouts(retry=0.05)
        me, friend = [
            await stack.enter_async_context(AsyncClient(server=served.url, timeouts=timeouts)) for _ in range(2)
        ]
        cells = Screen.of(sys.stderr).width
        began = _(
            "Two people use a server of the WeChat web protocol that runs in this process; no account is needed, and "
            "nothing leaves this machine."
        )
        session.output.remark([*hanging("", began, cells), ""])
        await perform(session, Demo(world, me, friend))
        session.output.remark(["", *hanging("", _("Each step was checked on the server."), cells), "", *_next(cells)])


def _next(cells: int | None) -> list[str]:
    """Return what to do next, as commands and what each is for."""
    rows = (
        ("webwx sandbox", _("the same server, with phones in your browser")),
        ("webwx login", _("your own account: File Transfer Helper, a chat with yourself")),
        ("webwx new my-bot", _("a bot with its tests")),
        ("webwx serve", _("an HTTP API and a web console for other programs")),
    )
    return [line for name, what in rows for line in hanging(f"  {name:<18}", what, cells)]


async def perform(session: Session, demo: Demo) -> None:
    """Run and print one step after the other; the first failure ends the command."""
    output = session.output
    for name, wire, step in STEPS:
        began = time.monotonic()
        try:
            done = await step(demo)
        except (NotVerified, WxError) as error:
            output.result(
                _("FAILED  {name}: {error}").format(name=name, error=error), step=name, ok=False, reason=str(error)
            )
            raise click.exceptions.Exit(Exit.FAILED) from None
        mark = f"✓ {time.monotonic() - began:3.1f} s  "
        sentence = f"{done.sentence}  [{wire}]" if session.is_verbose else done.sentence
        output.result(hanging(mark, printable(sentence), output.screen.width), step=name, ok=True, **done.details)


class Demo:
    """The two people, their clients, and the server that verifies them."""

    def __init__(self, world: World, me: AsyncClient, friend: AsyncClient) -> None:
        self._world = world
        self._me = me
        self._friend = friend

    async def login(self) -> Done:
        """Log both in; each scans and confirms on their own phone."""
        for who, client in ((ME, self._me), (FRIEND, self._friend)):
            account = await client.login(show_qr=partial(self._scan_and_confirm, who))
            person = self._world.person(who)
            _verify(
                self._world.logins.live(person) is not None,
                _("the server has no live session of {who}").format(who=who),
            )
            _verify(account.nickname == person.nickname, _("the client logged in as another person"))
        return Done(
            _("{my_name} and {friend_name} scan a QR code and are logged in.").format(
                my_name=self._my_name, friend_name=self._friend_name
            ),
            {"accounts": [self._my_name, self._friend_name]},
        )

    async def send_text(self) -> Done:
        """Send Chinese and emoji, and compare what arrives."""
        receipt = await self._me.send_text(self._to_friend, TEXT)
        shown = self._last_message(FRIEND, ME)
        _verify((shown.id, shown.text) == (receipt.message_id, TEXT), _("the friend's phone shows another text"))
        received = await _receive(self._friend, TextMessage, receipt.message_id)
        _verify(received.text == TEXT, _("the friend's client received another text"))
        return Done(
            _("{my_name} writes to {friend_name}: {text}").format(
                my_name=self._my_name, friend_name=self._friend_name, text=QUESTION
            ),
            {"message_id": receipt.message_id, "text": TEXT},
        )

    async def mark_read(self) -> Done:
        """Leave three messages unread, then mark the chat as read."""
        for text in ("在吗？", "饿了", "好，六点见！"):
            self._world.say(FRIEND, ME, text)
        before = self._chat(ME, FRIEND).unread
        await self._me.mark_read(self._to_friend)
        after = self._chat(ME, FRIEND).unread
        _verify(
            (before, after) == (3, 0),
            _("unread went {before} -> {after} on the server, not 3 -> 0").format(before=before, after=after),
        )
        return Done(
            _("{my_name} marks the chat with {friend_name} as read: {before} unread messages become {after}.").format(
                my_name=self._my_name, friend_name=self._friend_name, before=before, after=after
            ),
            {"unread_before": before, "unread_after": after},
        )

    async def recall(self) -> Done:
        """Send a message and recall it."""
        receipt = await self._me.send_text(self._to_friend, "发错了")
        await self._me.recall(receipt)
        shown = self._last_message(FRIEND, ME)
        _verify(shown.id == receipt.message_id and shown.is_recalled, _("the friend's phone still shows the message"))
        notice = await _receive(self._friend, MessageRecalled, receipt.message_id)
        return Done(
            _("{my_name} recalls a message; {friend_name} sees in its place: {text}").format(
                my_name=self._my_name, friend_name=self._friend_name, text=notice.text
            ),
            {"message_id": receipt.message_id, "notice": notice.text},
        )

    async def forward_recalled_image(self) -> Done:
        """Forward recalled pictures and compare the downloaded bytes."""
        forwarded = [
            await self._forward_recalled("jpeg", pictures.jpeg()),
            await self._forward_recalled("png", pictures.png()),
        ]
        return Done(
            _("{friend_name} recalls two pictures; {my_name} still forwards them, byte for byte.").format(
                my_name=self._my_name, friend_name=self._friend_name
            ),
            {"pictures": forwarded},
        )

    async def _forward_recalled(self, kind: str, content: bytes) -> dict[str, Any]:
        sent = await self._friend.send_image(self._friend.contacts.resolve(self._my_name), content)
        received = await _receive(self._me, ImageMessage, sent.message_id)
        _verify(
            await self._me.download(received) == content,
            _("the {kind} came out changed before the recall").format(kind=kind),
        )
        await self._friend.recall(sent)
        recalled = await _receive(self._me, MessageRecalled, sent.message_id)
        await self._verify_gone(received)

        receipt = await self._me.forward(recalled, FILEHELPER)
        shown = self._last_message(ME, FILEHELPER)
        _verify(shown.id == receipt.message_id, _("File Transfer Helper does not show the {kind}").format(kind=kind))
        md5 = _md5(content)
        downloaded = _md5(await self._me.download(receipt))
        _verify(
            downloaded == md5,
            _("the forwarded {kind} came out with md5 {downloaded}, not {md5}").format(
                kind=kind, downloaded=downloaded, md5=md5
            ),
        )
        return {
            "format": kind,
            "bytes": len(content),
            "md5": md5,
            "downloaded_md5": downloaded,
            "recalled_message_id": sent.message_id,
            "message_id": receipt.message_id,
        }

    async def _verify_gone(self, picture: ImageMessage) -> None:
        try:
            await self._me.download(picture)
        except MediaUnavailable:
            return
        raise NotVerified(_("the recalled picture can still be downloaded by its id"))

    # -- who and where -----------------------------------------------------------------------------------------------

    @property
    def _my_name(self) -> str:
        return self._world.person(ME).nickname

    @property
    def _friend_name(self) -> str:
        return self._world.person(FRIEND).nickname

    @property
    def _to_friend(self) -> Contact:
        return self._me.contacts.find(nickname=self._friend_name)

    def _scan_and_confirm(self, who: str, _: QrCode) -> None:
        self._world.scan(who)
        self._world.confirm()

    def _chat(self, who: str, chat: str) -> WorldChat:
        chats = self._world.inbox(who)
        _verify(chat in chats, _("{who}'s phone shows no chat with {chat}").format(who=who, chat=chat))
        return chats[chat]

    def _last_message(self, who: str, chat: str) -> WorldMessage:
        return self._chat(who, chat).messages[-1]


STEPS: tuple[tuple[str, str, Callable[[Demo], Awaitable[Done]]], ...] = (
    ("login", "jslogin, login, webwxnewloginpage, webwxinit", Demo.login),
    ("send_text", "webwxsendmsg", Demo.send_text),
    ("mark_read", "webwxstatusnotify", Demo.mark_read),
    ("recall", "webwxrevokemsg", Demo.recall),
    ("forward_recalled_image", "webwxsendmsgimg", Demo.forward_recalled_image),
)
"""Name, calls and function of each step."""


async def _receive(client: AsyncClient, kind: type[E], message_id: str) -> E:
    """Wait until a client receives an event of a kind about a message."""
    try:
        async with asyncio.timeout(PATIENCE), aclosing(client.events(include_all=False)) as events:
            async for event in events:
                if isinstance(event, kind) and getattr(event, "message_id", "") == message_id:
                    return event
    except TimeoutError:
        pass
    raise NotVerified(
        _("the other client received no {event} within {patience:.0f} s").format(event=kind.__name__, patience=PATIENCE)
    )


def _verify(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotVerified(otherwise)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
