"""Identities of an account of a gateway, across its logins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.remote.contacts import recipient_of
from webwx.representations.contacts import SHOW_CONTACT, contact_of
from webwx.representations.identities import (
    EXPLAIN_IDENTITY,
    LIST_IDENTITIES,
    MERGE_IDENTITIES,
    SHOW_USER,
    SPLIT_IDENTITY,
    ContactToSplit,
    Explanation,
    IdentitiesQuery,
    IdentitiesToMerge,
    identity_of,
    links_of,
)

if TYPE_CHECKING:
    from webwx.client.people.identities import To
    from webwx.client.remote.calls import GatewayCalls
    from webwx.model.contacts import Contact
    from webwx.model.identities import Identity, Link


class RemoteIdentities:
    """
    Identities of an account of a gateway.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    async def user(self) -> int:
        """Return the number that a gateway derives from that of the platform for its user, and which only it uses."""
        return int((await self._calls.call(SHOW_USER)).id, 16)

    async def find_contact(self, which: To) -> Contact:
        """Find a contact, with its members if it is a chatroom."""
        details = await self._calls.call(SHOW_CONTACT, recipient_of(which))
        return contact_of(details.contact, details.members)

    async def who(self, which: To) -> Identity:
        return identity_of((await self._explain(which)).identity)

    async def why(self, which: To) -> list[Link]:
        """Return the contacts that are linked to an identity, with the evidence."""
        return links_of(await self._explain(which))

    async def _explain(self, which: To) -> Explanation:
        return await self._calls.call(EXPLAIN_IDENTITY, recipient_of(which))

    async def list_identities(self, name: str) -> list[Identity]:
        """Return all identities, or those with a name."""
        listed = await self._calls.call(LIST_IDENTITIES, query=IdentitiesQuery(name=name))
        return [identity_of(view) for view in listed.identities]

    async def merge_identities(self, one: To, other: To) -> Identity:
        """Merge two identities; the number of the first one stays."""
        body = IdentitiesToMerge(into=recipient_of(one), other=recipient_of(other))
        return identity_of(await self._calls.call(MERGE_IDENTITIES, body=body))

    async def split_identity(self, which: To, contact_id: str) -> Identity:
        """Unlink a contact from an identity, and return its new identity."""
        body = ContactToSplit(identity=recipient_of(which), contact_id=contact_id)
        return identity_of(await self._calls.call(SPLIT_IDENTITY, body=body))
