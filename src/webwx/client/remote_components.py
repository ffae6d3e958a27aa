"""The composition of a client that uses an account of a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.client.components import Components
from webwx.client.remote.calls import GatewayCalls
from webwx.client.remote.consumers import RemoteConsumers
from webwx.client.remote.contacts import RemoteChatrooms, RemoteContacts
from webwx.client.remote.events import RemoteEvents
from webwx.client.remote.health import RemoteHealth
from webwx.client.remote.history import RemoteDeadLetters, RemoteHistory, RemoteRecalled
from webwx.client.remote.identities import RemoteIdentities
from webwx.client.remote.media import RemoteMedia
from webwx.client.remote.messages import RemoteMessages
from webwx.client.remote.missing import MissingBook, MissingSendNews
from webwx.client.remote.session import RemoteLogin, RemoteSession
from webwx.protocol.hosts import check_proxy

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from webwx.transport.aiohttp_transport import AiohttpTransport
    from webwx.transport.runner import Timeouts

_LONGEST_TRANSFER = 3600.0
"""Seconds for an upload to a gateway, and between two pieces of a download from it."""


def remote_components(
    *,
    gateway: str,
    key: str,
    account: str | None,
    timeouts: Timeouts,
    clock: Callable[[], float],
    proxy: str | None,
    ca_file: str | os.PathLike[str] | None,
) -> Components:
    """
    Return the components of a client that uses the account of a gateway; for the arguments see `AsyncClient`.

    Raises:
        InvalidSettings: The gateway or the proxy is not an address, or the key is empty.
    """
    if proxy is not None:
        check_proxy(proxy)

    def make_transport() -> AiohttpTransport:
        from webwx.transport.aiohttp_transport import AiohttpTransport  # a client with its own login rarely needs it

        patient = msgspec.structs.replace(timeouts, bulk=max(timeouts.bulk, _LONGEST_TRANSFER))
        return AiohttpTransport(patient, proxy=proxy, ca_file=ca_file)

    calls = GatewayCalls(gateway, key, account, make_transport, timeouts.retry)
    session, contacts, history = RemoteSession(calls, clock), RemoteContacts(calls), RemoteHistory(calls)
    events = RemoteEvents(calls, timeouts.retry)
    messages = RemoteMessages(calls, history)
    health = RemoteHealth(calls, clock)

    async def close() -> None:
        await events.close()
        await calls.close()

    return Components(
        describe=lambda: repr(calls),
        close=close,
        session=session,
        login=RemoteLogin(session),
        book=MissingBook(),
        directory=contacts,
        identities=RemoteIdentities(calls),
        chatrooms=RemoteChatrooms(calls),
        messages=messages,
        media=RemoteMedia(calls, messages, history),
        forwarder=messages,
        storage=messages,
        history=history,
        followed_sends=MissingSendNews(),
        recalled=RemoteRecalled(calls),
        dead_letters=RemoteDeadLetters(calls),
        consumers=RemoteConsumers(calls),
        events=events,
        limiter=health,
        measurements=health,
    )
