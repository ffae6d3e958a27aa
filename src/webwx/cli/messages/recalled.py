"""`webwx recalled`: recalled messages, from the journal; it contacts no server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webwx.cli.language import N_, _, language
from webwx.cli.messages.history import DATED, FURTHER, people_in
from webwx.cli.messages.shown_events import cut_name, name_of, place_of
from webwx.cli.names import complete_chats, whom
from webwx.cli.options import limit_option
from webwx.cli.session import Session, command
from webwx.cli.times import clock_time
from webwx.cli.wrapping import hanging
from webwx.model.messages import ImageMessage
from webwx.model.serialization import to_builtins
from webwx.model.summary import summarize

if TYPE_CHECKING:
    from webwx.cli.output import Screen
    from webwx.client.reading.recalled import Recalled
    from webwx.model.address_book import Contacts

_WAYS = {
    "by_content": N_("can be forwarded"),
    "by_upload": N_("can be forwarded, from the archive"),
    "none": N_("cannot be forwarded"),
}
"""Text for each value of `Recalled.way`."""


@command(
    "recalled",
    examples=(
        "webwx recalled",
        "webwx recalled 周末爬山 --limit 5",
        "webwx forward --recalled 12 filehelper    # the number at the start of a line",
        "webwx recalled --json | jq -r 'select(.original != null) | .original.text'",
    ),
)
@click.argument("chat", required=False, metavar="[WHO]", shell_complete=complete_chats)
@limit_option
async def recalled(session: Session, chat: str | None, limit: int) -> None:
    """
    List recalled messages and whether they can be forwarded.

    Lists the newest first, of all chats or of the chat with WHO: a remark, a nickname, a chatroom's name, or an id.
    Each line starts with the message's number, which 'webwx forward --recalled' accepts, and ends with how it can be
    forwarded. Works offline, after a logout, and while 'webwx listen' is running.
    """
    async with session.reading(in_place=True) as client:
        found = await client.list_recalled(whom(chat) if chat else None, limit=limit)
        people = await client.find_people({each for one in found for each in people_in(one.notice)})
        for one in found:
            session.output.line(
                lines_of_recalled(one, people, session.output.screen), {**to_builtins(one.notice), "way": one.way}
            )
    if not found:
        session.output.remark(_("The journal has no recalled message; 'webwx listen' receives messages."))


def lines_of_recalled(one: Recalled, people: Contacts, screen: Screen) -> list[str]:
    """Return the lines of a recalled message, wrapped as those of `history` are."""
    notice, original = one.notice, one.notice.original
    when = clock_time(notice.time, DATED)
    if original is None:
        head = f"{'':>6}  {when}  {cut_name(name_of(people, notice.chat), screen)}: "
        text = _("{text} (content unknown)").format(text=notice.text)
    else:
        head = f"{original.number:>6}  {when}  {cut_name(place_of(original, people), screen)}: "
        what = _("[picture]") if isinstance(original, ImageMessage) else summarize(original, language())
        text = f"{what}  [{_(_WAYS[one.way])}]"
    return hanging(head, text, screen.width, further=FURTHER, breaks_words=True)
