"""Names of the people in a pat, which some pats name only by real ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from webwx.model.address_book import Contacts
    from webwx.model.contacts import ContactId
    from webwx.model.messages import Pat


def people_in_pat(pat: Pat) -> list[ContactId]:
    """List the contacts from which a pat gets its names; empty if it needs none."""
    people = [each for each in (pat.actor_id, pat.target_id) if each]
    return [pat.chat, *people] if people else []


def name_people(pat: Pat, contacts: Contacts) -> None:
    """Replace real ids in a pat that no caller has yet by the names of the contacts, if they are known."""
    names: dict[str, str] = {}
    for field, contact_id in (("actor", pat.actor_id), ("target", pat.target_id)):
        real_id: str | None = getattr(pat, field)
        name = _name_of(contacts, pat.chat, contact_id) if contact_id else ""
        if real_id and name:
            names[real_id] = name
            msgspec.structs.force_setattr(pat, field, name)
    if names:
        # One id may be the beginning of another.
        pattern = rf"(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?![\w-])"
        msgspec.structs.force_setattr(
            pat, "text", re.sub(pattern, lambda found: names[found[0]], pat.text, flags=re.ASCII)
        )


def _name_of(contacts: Contacts, chat: ContactId, contact_id: ContactId) -> str:
    """Return the name of a contact or of a member of a chatroom; empty if unknown."""
    room = contacts.get(chat)
    for member in room.members if room else ():
        if member.id == contact_id and (member.display_name or member.nickname):
            return contacts.name_of(member)
    contact = contacts.get(contact_id)
    return contact.display_name if contact else ""
