"""`webwx contacts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.cli.session import Session, command

if TYPE_CHECKING:
    from webwx.model.contacts import Contact


@command(
    "contacts",
    examples=(
        "webwx contacts",
        "webwx contacts --json",
    ),
)
async def contacts(session: Session) -> None:
    """
    List friends, chatrooms and official accounts.

    Fetches them from the server. Any of the names shown, or the id at the end of a line, can be given to 'send', 'read'
    and 'forward'; ids are new at every login.
    """
    async with session.logged_in() as client:
        for contact in await client.list_contacts():
            session.output.line(_describe(contact), msgspec.json.encode(contact).decode())


def _describe(contact: Contact) -> str:
    own_name = f" ({contact.nickname})" if contact.remark else ""
    members = f", {len(contact.members)} members" if contact.members else ""
    return f"{contact.display_name}{own_name} - {contact.kind}{members} - {contact.id}"
