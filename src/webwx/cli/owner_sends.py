"""Texts that a command sends for an account which a worker runs: they are stored, and the worker sends them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from webwx.cli.exits import CommandFailed
from webwx.cli.language import _
from webwx.errors import ApiError
from webwx.gateway.account_numbers import AccountNumbers
from webwx.gateway.background_sends import store_promise
from webwx.storage.account_folder import login_name
from webwx.storage.open import open_leases, open_shared_storage

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.client.identities import To
    from webwx.model.messages import Receipt
    from webwx.settings import Settings
    from webwx.storage.tables.outbox import Outgoing
    from webwx.storage.tables.records import RecordStore

_PATIENCE = 60.0
"""Seconds that a command waits for the outcome of a send."""

_LOOK_EVERY = 0.1
"""Seconds between two looks at a send that a worker makes."""


async def send_text(settings: Settings, client: AsyncClient, to: To, text: str, *, key: str) -> Receipt:
    """
    Send a text; if a worker runs the account, store the text for the worker, and wait for the outcome.

    Raises:
        CommandFailed: The worker has not sent the text yet, but will.
        ApiError: The platform refused the send.
        SendOutcomeUnknown: The message may or may not have been sent.
    """
    if settings.storage is None or not await _is_owned(settings.storage, client):
        return await client.send_text(to, text, key=key)
    storage = open_shared_storage(settings.storage, None)
    try:
        number = await _number_of(settings, storage.records())
        if number is None:  # the worker has only just taken the account
            return await client.send_text(to, text, key=key)
        row = await client.queue_text(to, text, key=key)
        if row.state == "queued":
            await store_promise(storage.records(), number, row.number, time.time())
            await storage.announce_sends(client.account.uin)
    finally:
        await storage.close()
    return await _outcome(client, row)


async def refuse_files(settings: Settings, client: AsyncClient) -> None:
    """
    Refuse to send files if a worker runs the account, because only the worker can store them for later.

    Raises:
        CommandFailed: A worker runs the account.
    """
    if settings.storage is not None and await _is_owned(settings.storage, client):
        raise CommandFailed(
            _(
                "A worker runs this account, so this command sends only texts; send the file to a "
                "gateway ('webwx serve')."
            )
        )


async def _is_owned(url: str, client: AsyncClient) -> bool:
    """Return whether a worker owns the account, or a dead one has owned it last."""
    leases = open_leases(url)
    try:
        owner = await leases.owner_of(client.account.uin)
    finally:
        await leases.close()
    return owner is not None and owner.worker is not None


async def _number_of(settings: Settings, records: RecordStore) -> int | None:
    """Return the number under which workers know the account; None if they do not know it."""
    for each in await AccountNumbers(records, time.time).find():
        if login_name(each.name, host=each.settings.host or settings.host, server=settings.server) == (
            settings.login_name
        ):
            return each.number
    return None


async def _outcome(client: AsyncClient, row: Outgoing) -> Receipt:
    """Wait until a send has an outcome, and return its receipt."""
    found: Outgoing | None = row
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while found is not None and found.state in {"queued", "sending"}:
                await asyncio.sleep(_LOOK_EVERY)
                found = await client.find_send(number=row.number)
    if found is not None and found.state in {"queued", "sending"}:
        raise CommandFailed(
            _(
                "The worker of this account has not sent the text yet, but will: it is send {number} of "
                "'webwx outbox'. Do not send it again."
            ).format(number=row.number)
        )
    if found is not None and found.state == "failed":
        raise ApiError(_("The platform refused the send."), ret=found.ret)
    return await client.retry_send(row.number)
