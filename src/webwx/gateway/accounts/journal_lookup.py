"""Events of an account's journal as the gateway shows them, and events and sends that must exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.people.identities import SURE
from webwx.errors import StaleContact, UnknownContact
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.problems import GatewayProblem
from webwx.model.address_book import Contacts

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.client.client import AsyncClient
    from webwx.model.contacts import Contact
    from webwx.model.messages import Event
    from webwx.storage.tables.outbox import Outgoing


async def user_of(client: AsyncClient) -> int:
    """
    Return a number that stands for the WeChat user whose people a client knows, the same in all logins of the user.

    It is that of the platform, or, for a client of a gateway, one that this gateway has derived from it.

    Raises:
        NotLoggedIn: There was never a login.
        StorageError: The journal cannot be read.
        TransportError: The gateway of the client cannot be reached.
    """
    return await client._identities.user()


async def id_for_user(client: AsyncClient, which: str | int, user: int) -> str:
    """
    Return an id of a person or chatroom, with which a send reaches no one of another WeChat user.

    A number or a name means another person after a login of another user, and this may happen before the send is
    stored. An id is one of a login: it is that of the same person after a further login of the same user, and no one's
    for another user.

    Args:
        client: The client of the account.
        which: Number of an identity; or, as for `find_contact`, a name or an id of the present login.
        user: The user whose person or chatroom it is, as `user_of` returns it.

    Raises:
        StaleContact: Another user has logged in as the account.
        UnknownContact: No person or chatroom has the number or the name, or none has the number for certain.
        NotLoggedIn: The account has never logged in; or it is not logged in now, and `which` is not a number.
    """
    found: str
    if isinstance(which, str):
        found = (await client.find_contact(which)).id
    else:
        sure = [link.contact_id for link in await client.why(which) if link.confidence >= SURE]
        present = (await client.who(which)).contact_id
        found = present if present in sure else next(iter(sure), "")
    if await user_of(client) != user:  # read after the id, so the id is not one of a later login
        raise StaleContact("Another WeChat user has logged in as this account; nothing was sent.")
    if not found:
        raise UnknownContact(f"No contact of any login has the number {which} for certain; nothing was sent.")
    return found


async def required_event(client: AsyncClient, number: int) -> Event:
    """
    Return an event by its number.

    Raises:
        GatewayProblem: There is no such event.
    """
    event = await client.find_message(number)
    if event is None:
        raise GatewayProblem("not-found", "The journal has no event with this number.")
    return event


async def required_send(client: AsyncClient, client_id: str) -> Outgoing:
    """
    Return a send by its id.

    Raises:
        GatewayProblem: There is no such send.
    """
    row = await client.find_send(client_id=client_id)
    if row is None:
        raise GatewayProblem("not-found", "The outbox has no send with this id.")
    return row


async def find_event(account: int, client: AsyncClient, number: int) -> AccountEvent | None:
    """Return an event of an account by its number, with the names to show; None if the journal does not have it."""
    event = await client.find_message(number)
    return None if event is None else (await named_events(account, client, [event]))[0]


async def named_events(account: int, client: AsyncClient, events: Collection[Event]) -> list[AccountEvent]:
    """
    Return events with the names to show, also those of people of earlier logins.

    Args:
        account: Number of the account.
        client: Reads the account's journal.
        events: Events of the account.
    """
    ids = {each for event in events for each in (getattr(event, "chat", None), getattr(event, "sender", None)) if each}
    people = await client.find_people(ids) if ids else Contacts()
    return [named(account, event, people) for event in events]


def named(account: int, event: Event, people: Contacts) -> AccountEvent:
    """Return an event of an account with the names to show; an unknown name is empty."""
    chat = people.get(getattr(event, "chat", None) or "")
    sender: str | None = getattr(event, "sender", None)
    return AccountEvent(
        account=account, event=event, chat_name="" if chat is None else chat.display_name,
        sender_name=_sender_name(sender, chat, people) if sender else "",
    )  # fmt: skip


def _sender_name(sender: str, chat: Contact | None, people: Contacts) -> str:
    known = people.get(sender)
    if known is not None and known.display_name:
        return known.display_name
    members = () if chat is None else chat.members
    return next((each.display_name or each.nickname for each in members if each.id == sender), "")
