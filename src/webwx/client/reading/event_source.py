"""The source of an account's events: its journal, or for a client without a journal the batches as they are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.reading.journal_reader import JournalReader
from webwx.client.reading.stream import fetched_stream, stored_stream

if TYPE_CHECKING:
    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.reading.history import MessageHistory
    from webwx.client.reading.stream import EventStream
    from webwx.client.reading.subscription import Subscription
    from webwx.client.sync.pending import PendingEvents
    from webwx.client.sync.sync_loop import SyncLoop


class EventSource:
    """
    Streams and subscriptions of one account.

    Args:
        session: The account's session.
        sync: The account's sync loop.
        storage: The account's storage.
        history: Returns the events of stored entries.
        pending: The batches that are not delivered yet; None for an account with a journal.
    """

    def __init__(
        self,
        session: ClientSession,
        sync: SyncLoop,
        storage: AccountStorage,
        history: MessageHistory,
        pending: PendingEvents | None,
    ) -> None:
        self._session = session
        self._sync = sync
        self._storage = storage
        self._history = history
        self._pending = pending

    def events(self, consumer: str, *, include_all: bool, follow: bool) -> EventStream:
        """Return a stream of events that acknowledges each one when the next one is requested."""
        if self._pending is not None:
            return fetched_stream(self._session, self._sync, self._pending, include_all=include_all, follow=follow)
        return stored_stream(
            self.subscribe(consumer, follow=follow, shows=False), include_all=include_all,
            require_login=self._session.login.require,
        )  # fmt: skip

    def subscribe(self, consumer: str, *, follow: bool, shows: bool) -> Subscription:
        """Return a subscription of a consumer, not yet opened."""
        return JournalReader(self._sync, self._storage, self._history, consumer, follow=follow, shows=shows)

    async def wait_for_kept(self) -> None:
        await self._sync.wait_for_archive()
