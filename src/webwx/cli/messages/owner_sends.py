"""Texts that a command sends for an account which a worker runs: they are stored, and the worker sends them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

from webwx.cli.exits import CommandFailed
from webwx.cli.language import _
from webwx.gateway.accounts.account_sends import AccountSends, sent_of
from webwx.storage.open import open_leases

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.client.people.identities import To
    from webwx.model.messages import Receipt
    from webwx.settings import Settings

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
    sends = AccountSends(lambda: client, lambda: contextlib.nullcontext(client), _refuse, look_every=_LOOK_EVERY)
    row = await sends.store_text(to, text, key=key)
    sent = sent_of(await sends.wait(row, _PATIENCE))
    if sent.receipt is None:
        raise CommandFailed(
            _(
                "The worker of this account has not sent the text yet, but will: it is send {number} of "
                "'webwx outbox'. Do not send it again."
            ).format(number=row.number)
        )
    return sent.receipt


async def refuse_files(settings: Settings, client: AsyncClient) -> None:
    """
    Refuse to send files if a worker runs the account, because only the worker can store them for later.

    Raises:
        CommandFailed: A worker runs the account.
    """
    if settings.storage is not None and await _is_owned(settings.storage, client):
        await _refuse()


async def _refuse() -> NoReturn:
    raise CommandFailed(
        _("A worker runs this account, so this command sends only texts; send the file to a gateway ('webwx serve').")
    )


async def _is_owned(url: str, client: AsyncClient) -> bool:
    """Return whether a worker owns the account, or a dead one has owned it last."""
    leases = open_leases(url)
    try:
        owner = await leases.owner_of(client.account.uin)
    finally:
        await leases.close()
    return owner is not None and owner.worker is not None
