"""Names of the people in notices that name them only by real ids, as some pats do."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from webwx.model.contacts import is_chatroom
from webwx.model.messages import Pat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webwx.model.address_book import Contacts
    from webwx.model.contacts import Contact, ContactId
    from webwx.model.messages import SystemMessage

_NO_OWNERS: Mapping[str, Contact] = MappingProxyType({})


def people_in_notice(notice: SystemMessage) -> list[ContactId]:
    """List the contacts from which a notice gets its names; empty if it needs none."""
    people = [each for each in (notice.actor_id, notice.target_id) if each] if isinstance(notice, Pat) else []
    return [notice.chat, *people] if notice.real_ids else []


def name_people(notice: SystemMessage, contacts: Contacts, owners: Mapping[str, Contact] = _NO_OWNERS) -> None:
    """
    Replace the real ids in a notice that no caller has yet by names, or by a word such as 群成员 if a name is unknown.

    Args:
        notice: The notice.
        contacts: The chat, and the contacts that a pat names by their ids in a login.
        owners: The contact of each real id that is known.
    """
    if not notice.real_ids:
        return
    ids = {real_id: contact.id for real_id, contact in owners.items() if contact.id}
    if isinstance(notice, Pat):
        for field in ("actor", "target"):
            real_id: str = getattr(notice, field)
            contact_id: ContactId | None = getattr(notice, f"{field}_id")
            if contact_id is not None:
                ids[real_id] = contact_id
            elif real_id in ids:
                msgspec.structs.force_setattr(notice, f"{field}_id", ids[real_id])
    word = _word_for_a_person(notice)
    names = {
        real_id: _name_of(contacts, notice.chat, ids.get(real_id)) or _name_to_show(owners.get(real_id)) or word
        for real_id in notice.real_ids
    }
    for field in ("actor", "target") if isinstance(notice, Pat) else ():
        name = getattr(notice, field)
        msgspec.structs.force_setattr(notice, field, names.get(name, name))
    # One id may be the beginning of another.
    pattern = rf"(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?![\w-])"
    text = re.sub(pattern, lambda found: names[found[0]], notice.text, flags=re.ASCII)
    msgspec.structs.force_setattr(notice, "text", text)


def _word_for_a_person(notice: SystemMessage) -> str:
    """Return what a notice says of a person without a known name, in the language of its text."""
    is_chinese = any("\u4e00" <= character <= "\u9fff" for character in notice.text)
    if is_chatroom(notice.chat):
        return "群成员" if is_chinese else "a member"
    return "对方" if is_chinese else "the other person"


def _name_of(contacts: Contacts, chat: ContactId, contact_id: ContactId | None) -> str:
    """Return the name of a contact or of a member of a chatroom; empty if unknown."""
    if contact_id is None:
        return ""
    room = contacts.get(chat)
    for member in room.members if room else ():
        if member.id == contact_id and (member.display_name or member.nickname):
            return contacts.name_of(member)
    return _name_to_show(contacts.get(contact_id))


def _name_to_show(contact: Contact | None) -> str:
    """Return a contact's name; empty if only its id is known, or not even that."""
    return "" if contact is None or contact.display_name == contact.id else contact.display_name
