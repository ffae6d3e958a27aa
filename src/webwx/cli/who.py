"""`webwx identity`: recognise people and chatrooms across logins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webwx.cli.messages import clock_time
from webwx.cli.names import complete_chats, complete_numbers, numbered, whom
from webwx.cli.session import Session, command
from webwx.protocol.codec import clean_text

if TYPE_CHECKING:
    from webwx.client.identity import To
    from webwx.model.identities import Identity, Link, Reason

_BY = {
    "seen": "was new",
    "ambiguous": "was new, because it was not sure who of several it is",
    "certain": "is surely the same",
    "matched": "was found to be the same",
    "hand": "is who you have said",
}
"""Text for each way in which a contact got its identity."""

_AS_GOOD_AS_SURE = 0.9999
"""Confidence above which no doubt is shown."""


def _which(text: str) -> To:
    """Parse an argument of this module, where plain digits are an identity number."""
    return int(text) if numbered(text) else whom(text)


@command(
    "who",
    examples=("webwx who", "webwx who 阿华", "webwx who 12 --json", 'webwx send who:12 "hello"'),
)
@click.argument("which", metavar="[NAME|NUMBER|ID]", required=False, shell_complete=complete_chats)
async def who(session: Session, which: str | None) -> None:
    """
    List everybody who has a number, or say who one of them is.

    Ids are new at every login, and names change; a number stays with one person or chatroom for ever. Where another
    command takes a name, 'who:12' is whoever has the number 12. It works without the network, and when nobody is logged
    in any more.
    """
    async with session.reading() as client:
        found = await client.list_identities() if which is None else [await client.who(_which(which))]
    for identity in found:
        session.output.line(describe_identity(identity), identity)
    if not found:
        session.output.remark("Nobody has a number yet; 'webwx contacts' gives everybody one.")


@command("why", examples=("webwx why 12", "webwx why 阿华 --json"))
@click.argument("which", metavar="NUMBER|NAME|ID", shell_complete=complete_numbers)
async def why(session: Session, which: str) -> None:
    """
    Show which contacts an identity had, and why they were matched.

    Lists the contacts of all logins, newest first. Each reason has a weight: rare, stable attributes weigh more, and
    contradictions are negative. If a match is wrong, 'webwx identity split' separates a contact, and 'webwx identity
    merge' joins two identities.
    """
    async with session.reading() as client:
        links = await client.why(_which(which))
    for link in links:
        session.output.line(_describe_link(link), link)


@command("merge", examples=("webwx merge 12 15",))
@click.argument("one", metavar="A", shell_complete=complete_numbers)
@click.argument("other", metavar="B", shell_complete=complete_numbers)
async def merge(session: Session, one: str, other: str) -> None:
    """
    Declare that A and B are the same, permanently.

    A and B are identity numbers, names or ids of different logins. A keeps its number; B's number leads to A.
    """
    async with session.reading(in_place=True) as client:
        merged = await client.merge_identities(_which(one), _which(other))
    session.output.line(f"One and the same now: {describe_identity(merged)}", merged)


@command("split", examples=("webwx split 12 @77aa88bb99cc00dd",))
@click.argument("which", metavar="NUMBER", shell_complete=complete_numbers)
@click.argument("contact_id", metavar="ID")
async def split(session: Session, which: str, contact_id: str) -> None:
    """
    Declare that the contact ID is not identity WHO, permanently.

    'webwx identity explain' shows the ids. The contact gets an identity of its own and is never matched with WHO again.
    """
    async with session.reading(in_place=True) as client:
        parted = await client.split_identity(_which(which), clean_text(contact_id))
    session.output.line(f"Somebody else now: {describe_identity(parted)}", parted)


def describe_identity(identity: Identity) -> str:
    """Describe an identity in one line, the number first."""
    return f"{identity.number:>6}  {identity.name} - {identity.kind} - {identity.contact_id or 'not there now'}"


def _describe_link(link: Link) -> str:
    sure = "" if link.confidence > _AS_GOOD_AS_SURE else f", {link.confidence:.2%} sure"
    is_in_doubt = link.by == "ambiguous" and link.candidates  # by hand it is settled, and they are who it was before
    candidates = f" (maybe {', '.join(map(str, link.candidates))})" if is_in_doubt else ""
    reasons = ", ".join(map(_describe_reason, link.reasons))
    when = clock_time(link.seen_at, "%Y-%m-%d %H:%M")
    found = f"{when}  {link.name} - {link.contact_id} {_BY[link.by]}{candidates}{sure}"
    return f"{found}: {reasons}" if reasons else found


def _describe_reason(reason: Reason) -> str:
    return f"{'same' if reason.agrees else 'other'} {reason.what.replace('_', ' ')} {reason.weight:+.0f}"
