"""`webwx identity`: recognise people and chatrooms across logins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webwx.cli.help_pages import CliGroup
from webwx.cli.language import N_, _
from webwx.cli.names import complete_chats, complete_numbers, numbered, whom
from webwx.cli.options import example_text, with_common_options
from webwx.cli.session import Session, command
from webwx.cli.times import clock_time
from webwx.cli.words import word
from webwx.protocol.codec import clean_text

if TYPE_CHECKING:
    from webwx.client.people.identities import To
    from webwx.model.identities import Identity, Link, Reason

_BY = {
    "seen": N_("was new"),
    "ambiguous": N_("was new, because several identities are similar"),
    "certain": N_("is certainly the same"),
    "matched": N_("matched"),
    "hand": N_("was declared by you"),
}
"""Text for each way in which a contact got its identity."""

_AS_GOOD_AS_SURE = 0.9999
"""Confidence above which no doubt is shown."""


def _which(text: str) -> To:
    """Parse an argument of this module, where plain digits are an identity number."""
    return int(text) if numbered(text) else whom(text)


@with_common_options
@click.group(
    "identity",
    cls=CliGroup,
    epilog=example_text(
        "webwx identity list",
        "webwx identity show 阿华",
        "webwx identity explain 12",
        "webwx identity merge 12 15",
        'webwx send who:12 "hello"',
    ),
)
def identity() -> None:
    """
    Recognise people and chatrooms across logins.

    Ids change at every login, and names may change at any time. The identity number of a person or chatroom is
    permanent. Other commands accept it as 'who:12' in place of a name; the commands of this group also accept plain
    digits.
    """


@command("list", group=identity, examples=("webwx identity list --json",))
async def list_identities(session: Session) -> None:
    """
    List all identities with their numbers.

    Works offline and after a logout.
    """
    async with session.reading() as client:
        found = await client.list_identities()
    for each in found:
        session.output.line(_describe_identity(each), each)
    if not found:
        session.output.remark(_("No identity is known yet; run 'webwx contacts' to fetch the contacts."))


@command("show", group=identity, examples=("webwx identity show 阿华", "webwx identity show 12 --json"))
@click.argument("which", metavar="WHO", shell_complete=complete_chats)
async def show(session: Session, which: str) -> None:
    """
    Show the identity of WHO: an identity number, a name or an id.

    Works offline and after a logout.
    """
    async with session.reading() as client:
        found = await client.who(_which(which))
    session.output.line(_describe_identity(found), found)


@command("explain", group=identity, examples=("webwx identity explain 12", "webwx identity explain 阿华 --json"))
@click.argument("which", metavar="WHO", shell_complete=complete_numbers)
async def explain(session: Session, which: str) -> None:
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


@command("merge", group=identity, examples=("webwx identity merge 12 15",))
@click.argument("one", metavar="A", shell_complete=complete_numbers)
@click.argument("other", metavar="B", shell_complete=complete_numbers)
async def merge(session: Session, one: str, other: str) -> None:
    """
    Merge the identities A and B permanently.

    A and B are identity numbers, names or ids of different logins. A keeps its number, and B's number refers to A
    afterwards.
    """
    async with session.reading(in_place=True) as client:
        merged = await client.merge_identities(_which(one), _which(other))
    session.output.line(_("Merged: {identity}").format(identity=_describe_identity(merged)), merged)


@command("split", group=identity, examples=("webwx identity split 12 @77aa88bb99cc00dd",))
@click.argument("which", metavar="WHO", shell_complete=complete_numbers)
@click.argument("contact_id", metavar="ID")
async def split(session: Session, which: str, contact_id: str) -> None:
    """
    Split the contact ID from identity WHO permanently.

    'webwx identity explain' shows the ids. The contact gets an identity of its own and is never matched with WHO again.
    """
    async with session.reading(in_place=True) as client:
        parted = await client.split_identity(_which(which), clean_text(contact_id))
    session.output.line(_("New identity: {identity}").format(identity=_describe_identity(parted)), parted)


def _describe_identity(found: Identity) -> str:
    """Describe an identity in one line, the number first."""
    return f"{found.number:>6}  {found.name} - {word(found.kind)} - {found.contact_id or _('not in this login')}"


def _describe_link(link: Link) -> str:
    sure = "" if link.confidence > _AS_GOOD_AS_SURE else _(", {confidence:.2%} sure").format(confidence=link.confidence)
    is_in_doubt = link.by == "ambiguous" and link.candidates  # by hand it is settled, and they are who it was before
    candidates = _(" (maybe {names})").format(names=", ".join(map(str, link.candidates))) if is_in_doubt else ""
    reasons = ", ".join(map(_describe_reason, link.reasons))
    when = clock_time(link.seen_at, "%Y-%m-%d %H:%M")
    found = f"{when}  {link.name} - {link.contact_id} {_(_BY[link.by])}{candidates}{sure}"
    return f"{found}: {reasons}" if reasons else found


def _describe_reason(reason: Reason) -> str:
    found = _("same {attribute}") if reason.agrees else _("other {attribute}")
    return f"{found.format(attribute=word(reason.what))} {reason.weight:+.0f}"
