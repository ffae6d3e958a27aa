"""
People and chatrooms of one login.

Ids are new at every login, so nothing here may be kept as an identity; names are what a person knows, and two people
may share one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NewType

import msgspec

from webwx.errors import UnknownContact
from webwx.model.text import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from webwx.protocol.contacts import WireContact

ContactId = NewType("ContactId", str)

FILEHELPER = ContactId("filehelper")
"""The account's own chat with its phone, on every host."""

BUILT_IN = frozenset((
    "weibo", "qqmail", "fmessage", "tmessage", "qmessage", "qqsync", "floatbottle", "lbsapp", "shakeapp", "medianote",
    "qqfriend", "readerapp", "blogapp", "facebookapp", "masssendapp", "meishiapp", "feedsapp", "voip", "blogappweixin",
    "weixin", "brandsessionholder", "weixinreminder", "officialaccounts", "notification_messages", "wxitil",
    "userexperience_alarm", "newsapp", "filehelper",
))  # fmt: skip
"""Accounts of the platform itself, which keep plain names."""

Kind = Literal["friend", "chatroom", "official", "builtin", "self", "stranger"]

_IS_CONTACT = 1
_IS_OFFICIAL = 8


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a chatroom."""

    id: ContactId
    nickname: str = ""
    display_name: str = ""
    """Their name in this chatroom, when they have one."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A person, an official account or a chatroom."""

    id: ContactId
    """Valid in this login only."""
    nickname: str = ""
    """Their own name, or the chatroom's."""
    remark: str = ""
    """The name you gave them."""
    alias: str = ""
    """Their WeChat id, mostly hidden."""
    kind: Kind = "friend"
    members: tuple[Member, ...] = ()
    """Of a chatroom, once they are known."""

    @property
    def display_name(self) -> str:
        """The name to show: the remark, else the nickname, else the id."""
        return self.remark or self.nickname or self.id


def contact_from_wire(wire: WireContact, own_id: str) -> Contact:
    """Build a contact from what the server sent."""
    return Contact(
        id=ContactId(wire.user_name),
        nickname=plain_text(wire.nick_name),
        remark=plain_text(wire.remark_name),
        alias=wire.alias,
        kind=_kind(wire, own_id),
        members=tuple(
            Member(
                id=ContactId(member.user_name),
                nickname=plain_text(member.nick_name),
                display_name=plain_text(member.display_name),
            )
            for member in wire.member_list
        ),
    )


def _kind(wire: WireContact, own_id: str) -> Kind:
    if wire.user_name == own_id:
        return "self"
    if is_chatroom(wire.user_name):
        return "chatroom"
    if wire.user_name in BUILT_IN:
        return "builtin"
    if wire.verify_flag & _IS_OFFICIAL:
        return "official"
    return "friend" if wire.contact_flag & _IS_CONTACT else "stranger"


def is_chatroom(contact_id: str) -> bool:
    """Say whether an id is a chatroom's."""
    return contact_id.startswith("@@") or contact_id.endswith("@chatroom")


class Contacts:
    """
    Everybody known in this login, found by id at once and by name through an index.

    `filehelper` is always there.
    """

    def __init__(self, known: Iterable[Contact] = ()) -> None:
        self._by_id: dict[str, Contact] = {FILEHELPER: Contact(id=FILEHELPER, nickname="文件传输助手", kind="builtin")}
        self._by_name: dict[str, list[Contact]] | None = None
        for contact in known:
            self.merge(contact)

    def __iter__(self) -> Iterator[Contact]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"Contacts({len(self)})"

    def merge(self, newer: Contact) -> Contact:
        """
        Take in what the server says of somebody, and give the result.

        Empty names and lists never erase what is known: changes carry fewer fields than first snapshots.
        """
        known = self._by_id.get(newer.id)
        if known is not None:
            newer = msgspec.structs.replace(
                newer,
                nickname=newer.nickname or known.nickname,
                remark=newer.remark or known.remark,
                alias=newer.alias or known.alias,
                members=newer.members or known.members,
                kind=known.kind if newer.kind == "stranger" else newer.kind,
            )
        self._by_id[newer.id] = newer
        self._by_name = None
        return newer

    def remove(self, contact_id: str) -> None:
        """Forget somebody; an unknown id is no error."""
        if contact_id != FILEHELPER:
            self._by_id.pop(contact_id, None)
            self._by_name = None

    def get(self, contact_id: str) -> Contact | None:
        """Look somebody up by id."""
        return self._by_id.get(contact_id)

    def find(self, *, nickname: str | None = None, remark: str | None = None) -> Contact:
        """
        Find the one contact with this nickname, this remark, or both.

        Raises:
            UnknownContact: There is none, or there are several.
        """
        names = [name for name in (remark, nickname) if name]
        found = [
            contact
            for contact in (self._named(names[0]) if names else ())
            if (remark is None or contact.remark == remark) and (nickname is None or contact.nickname == nickname)
        ]
        return self._only(found, " and ".join(names))

    def resolve(self, to: Contact | str) -> Contact:
        """
        Find who is meant by a contact, an id, a remark or a nickname; a remark wins over a nickname.

        Raises:
            UnknownContact: Nobody, or several.
        """
        name = to.id if isinstance(to, Contact) else to
        if name in self._by_id:
            return self._by_id[name]
        found = self._named(name)
        by_remark = [contact for contact in found if contact.remark == name]
        return self._only(by_remark or found, name)

    def _named(self, name: str) -> list[Contact]:
        if self._by_name is None:
            self._by_name = {}
            for contact in self._by_id.values():
                for each in {contact.nickname, contact.remark} - {""}:
                    self._by_name.setdefault(each, []).append(contact)
        return self._by_name.get(name, [])

    @staticmethod
    def _only(found: list[Contact], name: str) -> Contact:
        match found:
            case [contact]:
                return contact
            case []:
                hint = "ids are new at every login" if name.startswith("@") else "names are matched whole"
                raise UnknownContact(f"Nobody here is called {name!r} ({hint}); list the contacts to see who is known.")
            case _:
                ids = ", ".join(contact.id for contact in found)
                raise UnknownContact(f"{len(found)} contacts are called {name!r}; choose one by id: {ids}.")
