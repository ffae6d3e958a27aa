"""`webwx chatroom`: list, members, create, add, invite, remove, rename, leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webwx.cli.account.contacts import describe
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import _
from webwx.cli.names import whom
from webwx.cli.options import FreeTextCommand, example_text, with_common_options
from webwx.cli.session import Session, command
from webwx.protocol.codec import clean_text

if TYPE_CHECKING:
    from webwx.cli.output import Output
    from webwx.model.address_book import Contacts
    from webwx.model.contacts import Admission


@with_common_options
@click.group(
    "chatroom",
    cls=CliGroup,
    epilog=example_text(
        "webwx chatroom create 阿华 Boss --name 周末爬山",
        "webwx chatroom members 周末爬山",
        "webwx chatroom add 周末爬山 张三",
    ),
)
def chatroom() -> None:
    """
    Create chatrooms and manage their members.

    ROOM and WHO are names, ids or identity numbers, as for 'webwx send'. To name a member who is not your friend, use
    the id that 'webwx chatroom members' shows.
    """


@command("list", group=chatroom, examples=("webwx chatroom list",))
async def list_(session: Session) -> None:
    """List the chatrooms you are in."""
    async with session.logged_in() as client:
        for room in await client.list_contacts():
            if room.kind == "chatroom":
                session.output.line(describe(room), room)


@command("members", group=chatroom, examples=("webwx chatroom members 周末爬山",))
@click.argument("room")
async def members(session: Session, room: str) -> None:
    """List the members of ROOM with their names there."""
    async with session.logged_in() as client:
        asked = await client.find_contact(whom(room))
        await client.get_contacts([asked.id])
        for member in client.contacts.resolve(asked.id).members:
            name = client.contacts.name_of(member)
            own_name = f" ({member.nickname})" if name != member.nickname else ""
            session.output.line(f"{name}{own_name} - {member.id}", member)


@command("create", group=chatroom, examples=("webwx chatroom create 阿华 Boss --name 周末爬山",))
@click.argument("who", nargs=-1, required=True)
@click.option("--name", default="", help="Name of the chatroom.")
async def create(session: Session, who: tuple[str, ...], name: str) -> None:
    """Create a chatroom with WHO, at least two other people."""
    async with session.logged_in() as client:
        _report(session.output, client.contacts, await client.create_chatroom(map(whom, who), name=clean_text(name)))


@command("add", group=chatroom, examples=("webwx chatroom add 周末爬山 张三",))
@click.argument("room")
@click.argument("who", nargs=-1, required=True)
async def add(session: Session, room: str, who: tuple[str, ...]) -> None:
    """Add WHO to ROOM; in a large chatroom they get an invitation."""
    async with session.logged_in() as client:
        _report(session.output, client.contacts, await client.add_members(whom(room), map(whom, who)))


@command("invite", group=chatroom, examples=("webwx chatroom invite 周末爬山 张三",))
@click.argument("room")
@click.argument("who", nargs=-1, required=True)
async def invite(session: Session, room: str, who: tuple[str, ...]) -> None:
    """Invite WHO to ROOM; they join when they accept."""
    async with session.logged_in() as client:
        _report(session.output, client.contacts, await client.invite_members(whom(room), map(whom, who)))


@command("remove", group=chatroom, examples=("webwx chatroom remove 周末爬山 张三",))
@click.argument("room")
@click.argument("who", nargs=-1, required=True)
async def remove(session: Session, room: str, who: tuple[str, ...]) -> None:
    """Remove WHO from ROOM, which you must own."""
    async with session.logged_in() as client:
        left = await client.remove_members(whom(room), map(whom, who))
        session.output.line(_("Now: {what}").format(what=describe(left)), left)


@command(
    "rename",
    group=chatroom,
    cls=FreeTextCommand,
    examples=("webwx chatroom rename 周末爬山 周末游泳",),
)
@click.argument("room")
@click.argument("name")
async def rename(session: Session, room: str, name: str) -> None:
    """Rename ROOM to NAME."""
    async with session.logged_in() as client:
        renamed = await client.rename_chatroom(whom(room), clean_text(name))
        session.output.line(_("Now: {what}").format(what=describe(renamed)), renamed)


@command("leave", group=chatroom, examples=("webwx chatroom leave 周末爬山",))
@click.argument("room")
async def leave(session: Session, room: str) -> None:
    """Leave ROOM."""
    async with session.logged_in() as client:
        await client.leave_chatroom(whom(room))
        session.output.result(_("You have left {room}.").format(room=room), left=True)


def _report(output: Output, contacts: Contacts, admission: Admission) -> None:
    """Return one line with the names of all people who joined."""
    parts = [_("Now: {what}").format(what=describe(admission.chatroom))]
    for what, ids in ((_("invited"), admission.invited), (_("could not be added"), admission.refused)):
        if ids:
            known = [contacts.get(each) for each in ids]
            names = ", ".join(each.display_name if each else id_ for each, id_ in zip(known, ids, strict=True))
            parts.append(f"{what}: {names}")
    output.line("; ".join(parts), admission)
