"""A saved login, and the contract of the stores that save one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from webwx.model.events import Item
from webwx.model.login import Login

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from webwx.model.address_book import Contacts

LOGIN_VERSION = 1
"""Version of the layout of a saved login."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a login."""

    reason: str
    """Reason code, as in `LoggedOut`."""
    text: str
    """Sentence to show to the user."""


class SavedLogin(msgspec.Struct, frozen=True, kw_only=True):
    """A login as it is stored."""

    login: Login
    pending: tuple[Item, ...] = ()
    """Items that were fetched and saved with the keys, but not delivered yet."""
    ended: Ended | None = None
    """The end of the login by the platform; None while the login is valid. Pending items can be read after it."""
    version: int = LOGIN_VERSION


class LoginStore(Protocol):
    """
    Storage for one login that outlives the process; the engines are in `login`.

    A change is one transaction on the stored login, so two processes that change different parts of a login lose
    nothing. A reader sees the login before a change or after it, never a part of the change. The login and its contacts
    are stored separately, because contacts can be fetched again.

    Every send calls `load`, so it is quick; an engine on another machine answers from memory while the login is its
    own. An engine may read or write a small local file on the event loop's thread.
    """

    async def load(self) -> SavedLogin | None:
        """
        Return the saved login; None if no login is saved.

        Raises:
            InvalidLogin: The saved login cannot be read. A damaged one is moved aside first.
        """
        ...

    async def prepare(self) -> None:
        """
        Check that `save` will succeed, before the user confirms a login that could not be saved.

        Raises:
            StorageError: A login cannot be saved here.
        """
        ...

    async def save(self, saved: SavedLogin) -> None:
        """Store a new login, replacing an earlier one."""
        ...

    async def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """Replace the saved login by the result of a function that gets it; do nothing if no login is saved."""
        ...

    async def reserve_id(self, at_least: int) -> int:
        """Return the lowest id, at least `at_least`, that was not returned to any process before."""
        ...

    async def clear(self) -> None:
        """Delete the login and its contacts."""
        ...

    def syncing(self) -> AbstractAsyncContextManager[None]:
        """
        Hold the sync lock of this login: two sync loops would split its messages between them.

        The lock ends with the process, even after a crash.

        Raises:
            AlreadyRunning: Another sync loop holds the lock.
        """
        ...

    async def load_contacts(self) -> Contacts:
        """Return the contacts that are stored beside the login; no contacts if they cannot be read."""
        ...

    async def save_contacts(self, contacts: Contacts) -> None:
        """Store the contacts beside the login, replacing earlier ones; later changes of the object are not stored."""
        ...
