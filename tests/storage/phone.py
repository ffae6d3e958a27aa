"""An account whose contacts have new ids in each login."""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Any

from webwx.model.contacts import Contact, ContactId, Member
from webwx.storage.lookup import find_identity, find_identity_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webwx.model.identities import Identified, Identity
    from webwx.storage.base import AccountJournal

NOW = float(int(time.time()))
DAY = 86_400.0
FILEHELPER = Contact(id=ContactId("filehelper"), nickname="文件传输助手", kind="builtin")


class Phone:
    """An account with new ids in every login."""

    def __init__(self, account: AccountJournal) -> None:
        self.account = account
        self.login = 0

    async def log_in(self, at: float = NOW) -> None:
        """Begin a login without contacts."""
        await self.log_in_with(at=at)

    async def log_in_with(
        self, *names: str, at: float = NOW, complete: bool = True, **changes: Any
    ) -> Sequence[Identified] | None:
        """Begin a login with contacts, and return their identities; None if they are not matched yet."""
        self.login += 1
        contacts = [self.shown(each, **changes) for each in names]
        opened = await self.account.open_login(self.own_id, b"", at, contacts, complete=complete and bool(contacts))
        return opened.identified

    @property
    def own_id(self) -> ContactId:
        return ContactId(f"@me-{self.login}")

    def id(self, name: str, login: int = 0) -> ContactId:
        return ContactId(f"{'@@' if name.startswith('room') else '@'}{name}-{login or self.login}")

    def shown(self, name: str, **changes: Any) -> Contact:
        """Return a contact as this login shows it."""
        fields: dict[str, Any] = {
            "id": self.id(name), "nickname": name, "avatar": zlib.crc32(name.encode()), "region": "广东 深圳"
        }  # fmt: skip
        return Contact(**(fields | changes))

    def room(self, name: str, *members: str, **changes: Any) -> Contact:
        listed = tuple(Member(id=self.id(each), nickname=each) for each in members)
        return self.shown(name, kind="chatroom", members=listed, avatar=0, region="", **changes)

    async def identify(self, *contacts: Contact, complete: bool = True, at: float = NOW) -> dict[ContactId, Identified]:
        found = await self.account.identities.identify(self.own_id, contacts, complete=complete, time=at)
        return {each.contact_id: each for each in found}

    async def note_real_id(self, name: str, real_id: str, login: int = 0) -> Identified | None:
        """Store a contact's permanent id, and return the contact's identity if it has changed."""
        real_ids = {self.id(name, login): real_id}
        found = await self.account.identities.identify(self.own_id, (), complete=False, time=NOW, real_ids=real_ids)
        return found[0] if found else None

    async def number(self, name: str, login: int = 0) -> int:
        found = await find_identity_of(self.account.identities, self.id(name, login))
        assert found is not None
        return found.number

    async def identity(self, number: int) -> Identity:
        found = await find_identity(self.account.identities, number)
        assert found is not None
        return found


async def logged_in_twice(phone: Phone) -> Phone:
    """Return a phone in its second login, with the same contacts except Bob."""
    await phone.log_in(NOW - DAY)
    await phone.identify(*map(phone.shown, ("ann", "bob", "cid")), FILEHELPER, at=NOW - DAY)
    await phone.log_in()
    await phone.identify(*map(phone.shown, ("ann", "cid")), FILEHELPER)
    return phone
