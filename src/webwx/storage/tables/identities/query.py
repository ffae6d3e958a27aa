"""Conditions for identities; apart from their tables, which a program that stores nothing does not import."""

from __future__ import annotations

import msgspec

from webwx.model.contacts import ContactId


class IdentityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions for identities to find: those that meet all of them; without a condition, all identities."""

    number: int | None = None
    """The identity's number, or one that was merged into it."""
    contact_id: ContactId | None = None
    """An id that the identity has, or had in any login; if two identities had the id, the later one is found."""
    name: str = ""
    """The last display name, nickname or remark."""
    real_id: str = ""
    """A lasting id of which a notice has shown that it is the identity's."""

    def __repr__(self) -> str:
        return "IdentityQuery(***)"
