"""
The conversations of one bot: their keys, a cache, and a transaction for each handler.

A transaction has a conversation for itself from its first use until it ends. So handlers that share a conversation run
one after the other, and each sees the commits of the one before, even before they are stored: the journal stores the
commits of a consumer in their order. The rows of recent conversations stay in memory, because only this bot changes
them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from webwx.bot.journal import use_journal
from webwx.bot.signatures import WrongFunction
from webwx.bot.stored_states import StoredStates
from webwx.errors import InvalidRequest, UnknownContact
from webwx.model.contacts import ContactId
from webwx.model.messages import Event
from webwx.storage.lookup import find_identity_of
from webwx.storage.tables.conversations import ConversationRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.client.client import AsyncClient
    from webwx.client.reading.subscription import Subscription


StateKey: TypeAlias = Literal["chat", "person"] | Callable[[Event], str]
"""
The scope of a state: each chat, each person in each chat, or each text that a function of the event returns.
"""

CACHED = 10_000
"""Number of conversations in memory; others are read from the journal when they are used."""

_log = logging.getLogger("webwx.bot")


class CachedConversation:
    """A conversation in memory."""

    __slots__ = ("former_key", "is_loaded", "is_migrated", "lock", "row", "users")

    def __init__(self, key: str) -> None:
        self.row: ConversationRow = ConversationRow(key=key)
        """The last committed row; an empty row before the first commit."""
        self.is_loaded: bool = False
        """Whether the row was read from the journal."""
        self.is_migrated: bool = False
        """Whether the row is as this version of the program writes it."""
        self.former_key: str = ""
        """An earlier key of the row, which the next change replaces; empty if the key is the first one."""
        self.lock: asyncio.Lock = asyncio.Lock()
        self.users: int = 0
        """Number of transactions that hold the conversation or wait for it."""


class Conversations:
    """
    The conversations of one bot.

    Args:
        client: The account's client.
        key: The scope of a state.
        stored: Converts and checks the states that are stored; default: they are not converted.
    """

    def __init__(self, client: AsyncClient, key: StateKey, stored: StoredStates | None = None) -> None:
        self._client = client
        self.stored: StoredStates = stored or StoredStates()
        """Converts and checks the states that are stored."""
        self._key = key
        self._subscription: Subscription | None = None
        self._cache: dict[str, CachedConversation] = {}
        """Conversations by key, the one that was used last at the end; no loaded row is older than the journal's."""
        self._is_listed = False
        """Whether the cache was filled with the conversations of the journal."""
        self._has_all = False
        """Whether all conversations of the journal are in memory, so that an unknown key need not be looked up."""
        self._listing = asyncio.Lock()
        self._lasting_ids: dict[ContactId, str] = {}
        self.on_deadline: Callable[[float], object] = lambda _: None
        """Called with each deadline that is committed."""

    def __repr__(self) -> str:
        return f"Conversations({len(self._cache)} in memory)"

    def open(self, subscription: Subscription) -> None:
        """Use a subscription, whose consumer stores the conversations; forget the cache of an earlier subscription."""
        self._subscription = subscription
        self._cache.clear()
        self._is_listed = self._has_all = False
        self._lasting_ids.clear()  # a new login has new ids

    def now(self) -> float:
        """Return the time of the account's clock, in seconds since 1970."""
        return self._client.clock()

    def begin(self, event: Event, key: str = "") -> ConversationTransaction:
        """Begin a transaction on the conversation of an event, or on the one with a key; nothing is read yet."""
        return ConversationTransaction(self, event, key)

    async def read(self, event: Event) -> ConversationRow:
        """Return the committed state of an event's conversation, also while a handler is changing it."""
        key, *former_keys = await self._keys_of(event)
        await self._list()
        cached = self._cache.get(key)
        if cached is None or not cached.is_loaded:
            cached = CachedConversation(key)
            await self._load(cached, former_keys)
        return cached.row if cached.is_migrated else self.migrated(cached.row)

    def migrated(self, row: ConversationRow) -> ConversationRow:
        """Return a stored state as this version of the program writes it; errors of its functions are raised."""
        return self.stored.migrate(row)

    async def report_stored(self) -> None:
        """Log which stored states the program cannot read, when the bot starts for the first time."""
        if self.stored.is_in_use:
            await self._list()
            self.stored.report_all([cached.row for cached in self._cache.values()])

    async def remove_deadline(self, row: ConversationRow) -> None:
        """Remove a deadline without a change of the state, unless it was replaced meanwhile."""
        cached = await self.hold(Event(), row.key, migrates=False)
        try:
            if cached.row.deadline == row.deadline:
                self.commit([], cached, msgspec.structs.replace(cached.row, deadline=None), Event())
        finally:
            self.release(cached)

    # -- for transactions --------------------------------------------------------------------------------------------

    async def hold(self, event: Event, key: str, *, migrates: bool = True) -> CachedConversation:
        """
        Wait until no other transaction holds a conversation, and return it.

        Args:
            event: The event whose conversation it is.
            key: Key of the conversation; empty for that of the event.
            migrates: Convert a state that an earlier version of the program has stored, which may fail.

        Raises:
            UnknownContact: The event has no chat, and so no conversation.
        """
        key, *former_keys = [key] if key else await self._keys_of(event)
        if not self._is_listed:
            await self._list()
        cached = self._cache.pop(key, None)
        if cached is None:
            cached = CachedConversation(key)
        self._cache[key] = cached
        cached.users += 1
        try:
            await cached.lock.acquire()
        except BaseException:
            cached.users -= 1
            raise
        if not cached.is_migrated:
            try:
                if not cached.is_loaded:
                    await self._load(cached, former_keys)
                    self._forget_oldest()
                if migrates:
                    cached.row = self.migrated(cached.row)
                    cached.is_migrated = True
            except BaseException:
                self.release(cached)
                raise
            if migrates:
                self.stored.report(cached.row, event.number)
        return cached

    def release(self, cached: CachedConversation) -> None:
        """Release a conversation for the next transaction."""
        cached.users -= 1
        cached.lock.release()

    def commit(self, numbers: Collection[int], cached: CachedConversation, row: ConversationRow, event: Event) -> None:
        """Acknowledge entries, and store a changed row in the same transaction."""
        changes: list[ConversationRow] = []
        if row is not cached.row:
            chat = getattr(event, "chat", None) or row.chat
            cached.row = row = msgspec.structs.replace(row, chat=chat, changed_at=self.now())
            changes.append(row)
            if cached.former_key:
                changes.append(ConversationRow(key=cached.former_key))
                self._cache.pop(cached.former_key, None)
                cached.former_key = ""
            if row.deadline is not None:
                self.on_deadline(row.deadline)
        self.opened().consumer.commit(numbers, changes)

    def opened(self) -> Subscription:
        """
        Return the subscription.

        Raises:
            InvalidRequest: The bot is not running, so there is no subscription.
        """
        if self._subscription is None:
            raise InvalidRequest("The bot is not running, so it has no conversations.")
        return self._subscription

    async def _list(self) -> None:
        """Fill the cache with the conversations of the journal, as far as they fit."""
        async with self._listing:
            if self._is_listed:
                return
            subscription = self.opened()
            rows = await use_journal(subscription.name, lambda: subscription.consumer.conversations(CACHED))
            for row in rows:
                cached = self._cache[row.key] = CachedConversation(row.key)
                cached.row, cached.is_loaded = row, True
            self._is_listed, self._has_all = True, len(rows) < CACHED

    async def _load(self, cached: CachedConversation, former_keys: Collection[str]) -> None:
        """Read the row of a conversation that is not in memory, which may have one of its former keys."""
        key = cached.row.key
        for each in (key, *former_keys):
            row = await self._read_row(each)
            if row is not None:
                cached.row = row if each == key else msgspec.structs.replace(row, key=key)
                cached.former_key = "" if each == key else each
                break
        cached.is_loaded = True

    async def _read_row(self, key: str) -> ConversationRow | None:
        """Return the committed row of a key; None if there is no row."""
        cached = self._cache.get(key)
        if cached is not None and cached.is_loaded:
            return None if cached.row.is_empty else cached.row
        if self._has_all:
            return None
        subscription = self.opened()
        return await use_journal(subscription.name, lambda: subscription.consumer.conversation(key))

    def _forget_oldest(self) -> None:
        """Remove the least recently used conversations from memory, except those in use."""
        oldest = islice(self._cache.items(), max(len(self._cache) - CACHED, 0))
        for key in [key for key, cached in oldest if not cached.users]:
            del self._cache[key]
            self._has_all = False

    # -- keys --------------------------------------------------------------------------------------------------------

    async def _keys_of(self, event: Event) -> list[str]:
        """
        Return the key of an event's conversation, and then the keys that it had before a contact had an identity.

        Raises:
            UnknownContact: The event has no chat.
            WrongFunction: The bot's own function did not return a text.
        """
        if callable(self._key):
            key = self._key(event)
            if not isinstance(key, str) or not key:
                raise WrongFunction(
                    f"The function of state_key= returned {type(key).__name__}; it must return a text.",
                    self._key,
                )
            return [key]
        chat: ContactId | None = getattr(event, "chat", None)
        if not chat:
            raise UnknownContact(f"This {type(event).__name__} has no chat, and so no state.")
        place = self._lasting_ids.get(chat) or await self._find_lasting_id(chat)
        if self._key == "chat":
            return [place] if place == chat else [place, chat]
        author = getattr(event, "sender", None) or chat
        person = self._lasting_ids.get(author) or await self._find_lasting_id(author)
        # The first key has both lasting ids, and the last one neither.
        return [f"{one}/{other}" for one in dict.fromkeys((place, chat)) for other in dict.fromkeys((person, author))]

    async def _find_lasting_id(self, contact_id: ContactId) -> str:
        """Return the number of a contact's identity, because ids change at each login; the id without an identity."""
        lasting: str = contact_id
        if contact_id == self._client.account.id:
            lasting = "me"
        elif contact_id.startswith("@"):
            lasting = await use_journal(self.opened().name, lambda: self._find_identity(contact_id))
        if len(self._lasting_ids) > CACHED:
            self._lasting_ids.clear()
        self._lasting_ids[contact_id] = lasting
        return lasting

    async def _find_identity(self, contact_id: ContactId) -> str:
        """Return the number of a contact's identity; once all contacts are matched, the id if no identity was found."""
        found = await find_identity_of(self.opened().part.identities, contact_id)
        if found is None:
            try:
                found = await self._client.who(contact_id)
            except UnknownContact:
                return contact_id
        return str(found.number)


class ConversationTransaction(msgspec.Struct, eq=False):  # a struct, because there is one per event
    """One handler's transaction on a conversation, which lasts until the handler has ended."""

    conversations: Conversations
    """The conversations of the bot."""
    _event: Event
    """The event of the handler."""
    _key: str = ""
    """Key of the conversation; empty for the conversation of the event."""
    _held: CachedConversation | None = None
    _row: ConversationRow | None = None
    _loading: asyncio.Lock | None = None
    _is_over: bool = False

    def __repr__(self) -> str:
        return "ConversationTransaction(***)"

    @property
    def is_used(self) -> bool:
        """Whether the state was read or changed."""
        return self._held is not None

    async def row(self) -> ConversationRow:
        """
        Return the state as this transaction sees it; the first call waits for other transactions.

        Raises:
            UnknownContact: The event has no chat, and so no conversation.
            InvalidRequest: The transaction has ended.
        """
        if self._row is None:
            if self._loading is None:
                self._loading = asyncio.Lock()
            async with self._loading:  # a handler may make several calls at once
                if self._held is None and not self._is_over:
                    self._held = await self.conversations.hold(self._event, self._key)
                    self._row = self._held.row
        if self._row is None or self._is_over:
            raise InvalidRequest("The handler has ended; a state can be used only while its handler runs.")
        return self._row

    async def change(self, **fields: Any) -> None:
        """
        Change fields of the state, for this transaction only until it is committed.

        Raises: As `row`.

        """
        self._row = msgspec.structs.replace(await self.row(), **fields)

    def commit(self, numbers: Collection[int]) -> None:
        """Acknowledge entries and store the changes; called only if the state was used."""
        if self._held is not None and self._row is not None:
            self.conversations.commit(numbers, self._held, self._row, self._event)

    def roll_back(self) -> None:
        """Drop the changes."""
        if self._held is not None:
            self._row = self._held.row

    def end(self) -> None:
        """End the transaction; changes that are not committed are dropped."""
        self._is_over = True
        if self._held is not None:
            self.conversations.release(self._held)
            self._held = None
