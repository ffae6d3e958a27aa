"""The account that an agent uses: what differs between a program of its own and the gateway."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from webwx.client.accounts import login_steps
from webwx.client.state import LoginState
from webwx.errors import ConnectFailed, LoggedOut, NotLoggedIn, SendOutcomeUnknown, WxError
from webwx.gateway.accounts.logins import AccountLogins
from webwx.protocol.media import image_type, is_video

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from webwx.client.accounts import LoginProgress
    from webwx.client.client import AsyncClient
    from webwx.model.messages import Event, Receipt
    from webwx.storage.tables.outbox import Outgoing

SYNC_CONSUMER = "mcp"
"""Name of the consumer with which a program of its own reads the events of the platform."""

LOOK_EVERY = 0.5
"""Seconds between two looks for events that another process has stored."""

_TRY_AGAIN = 15.0
"""Seconds until the program tries again to read the events of the platform, if another process reads them."""

_LARGEST_PICTURE = 20 * 1024 * 1024
"""Maximum size of a picture or a video; larger ones are sent as files."""

_START = 32
"""Number of bytes that decide the kind of a file."""


class AgentText(NamedTuple):
    """A text that an agent sends."""

    text: str

    def __repr__(self) -> str:
        return "AgentText(***)"


class AgentFile(NamedTuple):
    """A file that an agent sends."""

    content: bytes | Path
    name: str
    caption: str = ""
    """Text that is sent after it, as a send of its own."""

    def __repr__(self) -> str:
        return "AgentFile(***)"


class AgentForward(NamedTuple):
    """A message that an agent forwards."""

    event: Event

    def __repr__(self) -> str:
        return "AgentForward(***)"


ToSend: TypeAlias = "AgentText | AgentFile | AgentForward"


class ServedAccount(Protocol):
    """The account of an agent."""

    @property
    def name(self) -> str:
        """Name of the account."""
        ...

    @property
    def client(self) -> AsyncClient:
        """Reads the journal of the account."""
        ...

    async def owned(self) -> AsyncClient:
        """Return the client that acts for the account: it recalls, marks as read, and downloads."""
        ...

    async def state(self) -> str:
        """Return the state of the login as a word."""
        ...

    async def since(self) -> float | None:
        """Return the time of the last change of this state, in seconds since 1970; None if it is not known."""
        ...

    @property
    def logins(self) -> AccountLogins | None:
        """The logins of the account; None if it logs in elsewhere."""
        ...

    async def send_text(self, to: str | int, text: str, *, key: str) -> Receipt:
        """Send a text, as `AsyncClient.send_text`."""
        ...

    async def send_file(self, to: str | int, content: bytes | Path, *, name: str, key: str) -> Receipt:
        """Send a file: a picture as a picture, a video as a video."""
        ...

    async def forward(self, event: Event, to: str | int, *, key: str) -> Receipt:
        """Forward a message, as `AsyncClient.forward`."""
        ...

    async def wait_for_event(self, after: int, seconds: float) -> None:
        """Return soon after an event with a higher number was stored, or after some seconds."""
        ...


async def send(account: ServedAccount, to: str | int, content: ToSend, *, key: str) -> Receipt:
    """Make one send of an agent, without the caption of a file."""
    match content:
        case AgentText(text):
            return await account.send_text(to, text, key=key)
        case AgentFile(file, name):
            return await account.send_file(to, file, name=name, key=key)
        case AgentForward(event):
            return await account.forward(event, to, key=key)


class ClientAccount:
    """
    An account with a client in this process: of a login of this machine, or of a gateway.

    Args:
        name: Name of the account.
        client: The client.
        is_remote: Whether it is the client of a gateway, which is asked for the state of the login.
    """

    def __init__(self, name: str, client: AsyncClient, *, is_remote: bool = False) -> None:
        self.name = name
        self.client = client
        self._is_remote = is_remote
        self._arrived = asyncio.Event()
        """Set, and replaced, when this process has stored events."""
        self._logged_in = asyncio.Event()
        """Set when a login has succeeded here."""
        self.logins: AccountLogins | None = (
            None if is_remote else AccountLogins(self._log_in, _nothing, self._logged_in.set)
        )

    def __repr__(self) -> str:
        return f"ClientAccount({self.name!r})"

    def _log_in(self, asks_phone: bool) -> AsyncIterator[LoginProgress]:
        return login_steps(self.client, asks_phone=asks_phone)

    async def owned(self) -> AsyncClient:
        """Return the client."""
        return self.client

    async def state(self) -> str:
        """Return the state of the login."""
        if self._is_remote:
            with contextlib.suppress(LoggedOut, NotLoggedIn):
                await self.client.check()
        return self.client.state.value

    async def since(self) -> float | None:
        """Return the time of the last change of this state as the client knows it; None before the first one."""
        return self.client.state_since

    async def send_text(self, to: str | int, text: str, *, key: str) -> Receipt:
        """Send a text."""
        return await self.client.send_text(to, text, key=key)

    async def store_text(self, to: str | int, text: str, *, key: str) -> Outgoing:
        """
        Store a text, and send it: here at once, or in the gateway; a known key returns the existing send.

        Raises:
            ConnectFailed: It is not finished, and another call with the key tries again.
            WxError: It was not sent.
        """
        if self._is_remote:
            return await self.client.queue_text(to, text, key=key, background=True)
        with contextlib.suppress(SendOutcomeUnknown):  # the row says what is known
            await self.client.send_text(to, text, key=key)
        return await self.finished(key)

    async def finished(self, key: str) -> Outgoing:
        """
        Return a send that needs no further call: it has an outcome, or the gateway makes it.

        Raises:
            ConnectFailed: The outbox has no such send, or it waits, or another process is making it.
        """
        row = await self.client.find_send(key=key)
        if row is None or (not self._is_remote and row.state in {"queued", "sending"}):
            raise ConnectFailed("The send is not finished; it is to be tried again.")
        return row

    async def send_file(self, to: str | int, content: bytes | Path, *, name: str, key: str) -> Receipt:
        """Send a file as the kind that its content is."""
        match await asyncio.to_thread(kind_of, content):
            case "image":
                return await self.client.send_image(to, content, name=name, key=key)
            case "video":
                return await self.client.send_video(to, content, name=name, key=key)
            case _:
                return await self.client.send_file(to, content, name=name, key=key)

    async def forward(self, event: Event, to: str | int, *, key: str) -> Receipt:
        """Forward a message."""
        return await self.client.forward(event, to, key=key)

    async def wait_for_event(self, after: int, seconds: float) -> None:  # noqa: ARG002 - the journal is looked at
        """Wait for news of this process, or until it is time to look at the journal again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, LOOK_EVERY)):
                await self._arrived.wait()

    @contextlib.asynccontextmanager
    async def synced(self) -> AsyncIterator[None]:
        """Read the events of the platform meanwhile, unless another process does."""
        task = asyncio.get_running_loop().create_task(self._sync())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if self.logins is not None:
                await self.logins.cancel()

    async def _sync(self) -> None:
        while True:
            with contextlib.suppress(WxError):  # another process reads the events, or the login has ended
                await self._read_events()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TRY_AGAIN):
                    await self._logged_in.wait()
            self._logged_in.clear()
            if self.client.state is LoginState.LOGGED_OUT:
                with contextlib.suppress(WxError):
                    await self.client.resume()  # 'webwx login' may have stored a new one

    async def _read_events(self) -> None:
        async with self.client.subscribe(SYNC_CONSUMER) as subscription:
            while batch := await subscription.take(500):
                for delivered in batch:
                    subscription.ack(delivered.entry.number)
                arrived, self._arrived = self._arrived, asyncio.Event()
                arrived.set()


async def _nothing() -> None:
    """Do nothing: a login of this process needs no preparation."""


def kind_of(content: bytes | Path) -> Literal["image", "video", "file"]:
    """Return the kind of message for a file, by its first bytes and its size."""
    if isinstance(content, bytes):
        start, size = content[:_START], len(content)
    else:
        with content.open("rb") as file:
            start, size = file.read(_START), content.stat().st_size
    if size > _LARGEST_PICTURE:
        return "file"
    return "image" if image_type(start) else "video" if is_video(start) else "file"
