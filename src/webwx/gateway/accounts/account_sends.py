"""
The sends of one account, in any process: a text is stored for the owner of the account, which sends it.

The owner has a subclass of its own (`owned_sends`), which makes the sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from webwx.client.state import LoginState
from webwx.errors import ApiError, LoggedOut, SendOutcomeUnknown
from webwx.model.messages import Receipt
from webwx.representations.sends import MediaKind
from webwx.storage.tables.outbox import State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import NoReturn

    from webwx.client.client import AsyncClient
    from webwx.client.people.identities import To
    from webwx.storage.tables.outbox import Outgoing

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at a send whose outcome is waited for, in case the announcement of it was lost."""

OWN_KEY: Final = "gateway-"
"""Prefix of the keys of sends for which the caller gave none; the API does not show these keys."""

UNFINISHED: Final = frozenset(("queued", "sending"))
"""States that are followed by an outcome."""


def own_key() -> str:
    """Return a key for a send for which the caller gave none."""
    return f"{OWN_KEY}{secrets.token_hex(12)}"


class TextContent(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """A text to send."""

    text: str

    def __repr__(self) -> str:
        return "TextContent(***)"


class MediaContent(msgspec.Struct, frozen=True, kw_only=True, tag="media"):
    """A file to send."""

    kind: MediaKind
    path: Path
    """Path of the file, readable by the process that sends it."""
    name: str

    def __repr__(self) -> str:
        return f"MediaContent({self.kind})"


Content = TextContent | MediaContent


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The present state of a send: `queued`, `sending` or `sent`; other outcomes are raised."""

    client_id: str
    """Id of the send, the same for all attempts."""
    state: State
    receipt: Receipt | None = None
    """The platform's receipt of a send that is `sent`."""


class AccountSends:
    """
    The sends of an account, in a process that need not run it.

    Args:
        client: Returns the client that reads the account's journal.
        saved: Opens a client that knows the saved login.
        refuse: Refuses a call that only the owner of the account can make.
        look_every: Seconds between two looks at a send whose outcome is waited for.
    """

    def __init__(
        self,
        client: Callable[[], AsyncClient],
        saved: Callable[[], AbstractAsyncContextManager[AsyncClient]],
        refuse: Callable[[], Awaitable[NoReturn]],
        *,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._client = client
        self._saved = saved
        self._refuse = refuse
        self._look_every = look_every
        self._changed = asyncio.Event()
        """Set, and replaced, when sends have changed."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def note_change(self) -> None:
        """Look at the sends whose outcome is waited for, because some sends of the account have changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, row: Outgoing, seconds: float) -> Outgoing:
        """Return a send as soon as it has an outcome, or as it is after some seconds; a deleted one as it was last."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while row.state in UNFINISHED:
            changed = self._changed
            found = await self._client().find_send(number=row.number)
            if found is None:
                return row
            row, left = found, until - loop.time()
            if row.state not in UNFINISHED or left <= 0:
                return row
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, self._look_every)):
                    await changed.wait()
        return row

    async def send(self, to: str | int, content: Content, *, key: str = "", wait: float = 25.0) -> Sent:
        """
        Send a message, and wait for its outcome.

        Args:
            to: A remark, a nickname, an id, `filehelper`, or the number of an identity.
            content: What to send.
            key: Idempotency key; a second call with the same key sends nothing and returns the first send.
            wait: Seconds after which the send continues in the background, even in a later process; the result is then
                `queued` or `sending`. The given file may be deleted as soon as this returns.

        Raises:
            KeyReused: The key belongs to another send.
            WxError: The send was refused, or its outcome is unknown.
            GatewayProblem: Only the owner of the account sends files.
        """
        if not isinstance(content, TextContent):
            await self._refuse()
        async with self._saved() as client:
            if client.state is LoginState.LOGGED_OUT:
                raise LoggedOut("The login of this account has ended; log in again.", reason="restored_session_expired")
        row = await self.store_text(to, content.text, key=key)
        return sent_of(await self.wait(row, wait))

    async def enqueue(self, to: str | int, text: str, *, key: str = "") -> Sent:
        """Store a text in the outbox; the owner of the account sends it, also after the next login."""
        return present_of(await self.store_text(to, text, key=key))

    async def store_text(self, to: To, text: str, *, key: str = "") -> Outgoing:
        """Store a text in the outbox as `enqueue` does, and return its send; a known key returns the existing send."""
        async with self._saved() as client:
            row = await client.queue_text(to, text, key=key or own_key(), background=True)
        await self._note_stored(row)
        return row

    async def _note_stored(self, row: Outgoing) -> None:
        """Do what follows a stored text: the owner makes it as soon as it hears of it."""

    async def enqueue_file(self, to: str | int, content: MediaContent, *, key: str = "") -> Sent:  # noqa: ARG002 - it is refused
        """Store the send of a file in the outbox; only the owner, which has the file, does that."""
        await self._refuse()

    async def retry(self, client_id: str, *, wait: float = 25.0) -> Sent:  # noqa: ARG002 - it is refused
        """
        Send a queued or refused text again, or a queued file that the gateway has, under its id.

        Args:
            client_id: Id of the send.
            wait: Seconds after which a send of the background continues there, as for `send`.

        Raises:
            InvalidRequest: It is the send of a file that the gateway does not have any more; nothing was sent.
            WxError: The send was refused, or its outcome is unknown.
            GatewayProblem: Only the owner of the account sends again.
        """
        await self._refuse()

    async def forward(self, number: int, to: str | int, *, key: str = "") -> Sent:  # noqa: ARG002 - it is refused
        """Forward an event by its number, recalled or not; only the owner does that."""
        await self._refuse()


def present_of(row: Outgoing) -> Sent:
    """Return a send in its present state, whatever it is."""
    return Sent(client_id=row.client_id, state=row.state, receipt=row.receipt)


def sent_of(row: Outgoing) -> Sent:
    """
    Return a send that was made, or waits to be made.

    Raises:
        ApiError: The platform has refused it.
        SendOutcomeUnknown: It may have been sent.
    """
    if row.state == "failed":
        raise ApiError("The platform refused the send.", ret=row.ret)
    if row.state == "unknown":
        raise SendOutcomeUnknown("The message may or may not have been sent; check the chat before you send it again.")
    return present_of(row)
