"""
An account's sends, as rows that are stored before anything is transmitted.

A row in state `sending` has the name of the process that sends it. How a process shows others that it still runs, and
where the outcome of a send is until it is stored, differs between the engines (`AttemptStore`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.override import override
from webwx.protocol.codec import clean_text
from webwx.storage.engine.port import Ageing, Conditions, Select, StoredTable
from webwx.storage.refusals import ChangeRefused, NotOwner
from webwx.storage.tables.read_positions import MARK_CHAT_OF_SEND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from webwx.storage.engine.port import Statements, Tables, Value

KEPT_OUTCOMES = 1_000
"""Maximum number of outcomes of sends that a journal keeps while they cannot be stored."""

_FEW = 200
"""Number of sends up to which those since a time are read by the index of the times."""

_SEPARATE = 50
"""Maximum number of chats or states whose sends are read by one ordered query each."""

State = Literal["queued", "sending", "sent", "failed", "unknown", "recalled"]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="outgoing"):
    """A send, stored before its first attempt."""

    number: int
    client_id: str
    """Id of the send, the same for all attempts."""
    key: str = ""
    """Idempotency key of the caller: a second send with the same key is the same send."""
    chat: ContactId
    kind: str
    """Kind of content: `text`, `image`, `file`, ..."""
    text: str = ""
    """The text, or the file's name."""
    addressed: str = ""
    """Recipient as the caller has named it, as JSON: a text, or the number of an identity; empty: not known."""
    content_id: str = ""
    """SHA-256 of a file, md5 of a known sticker, or id of a forwarded message; empty for a text, or if not known."""
    background: bool = False
    """Whether the process that runs the account makes the send by itself as long as it is `queued`."""
    file: str = ""
    """Name of the stored file of a background send; empty for a text, and once the send has an outcome."""
    state: State
    """
    `queued`: nothing was transmitted yet. `sending`: something may have been transmitted. `sent`: the platform
    confirmed it. `failed`: the platform refused it. `unknown`: the outcome cannot be determined, so the send is never
    repeated automatically and never reported as a success. `recalled`: it was sent, and recalled by this client.
    """
    receipt: Receipt | None = None
    """The platform's receipt, once the send is `sent`."""
    ret: int = 0
    """The platform's error code, if the send is `failed`."""
    created_at: float
    changed_at: float

    def __repr__(self) -> str:
        return f"Outgoing({self.number}, {self.kind}, {self.state})"


class SendQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions for sends to find: the newest sends, or the oldest ones, that meet all of them."""

    number: int | None = None
    """The send's number."""
    key: str | None = None
    """The caller's idempotency key."""
    client_id: str | None = None
    """The send's id for all attempts."""
    message_id: str | None = None
    """The platform's message id, from the receipt."""
    states: tuple[State, ...] = ()
    """Only sends in one of these states; empty for all."""
    chats: tuple[ContactId, ...] = ()
    """Only sends to these chats; empty for all."""
    background: bool = False
    """Only background sends that are `queued`."""
    before: int | None = None
    """Only sends with a lower number."""
    after: int | None = None
    """Only sends with a higher number, the oldest first."""
    since: float = 0
    """Not stored before this time, in seconds since 1970."""
    until: float = 0
    """Not stored after this time; 0 for no limit."""
    limit: int = 100
    """Maximum number of sends."""

    def __repr__(self) -> str:
        return "SendQuery(***)"


class Outbox(Protocol):
    """
    An account's sends, each stored before its first byte is transmitted.

    | State      | Change                                                        | Next state |
    |------------|---------------------------------------------------------------|------------|
    | `queued`   | `sending`, just before the first byte is transmitted          | `sending`  |
    | `sending`  | the platform's receipt                                        | `sent`     |
    |            | the platform's refusal                                        | `failed`   |
    |            | provably nothing was transmitted, or the rate limit was hit   | `queued`   |
    |            | no answer; or the process died, or closed the journal         | `unknown`  |
    | `failed`   | `sending`, for another attempt that a caller has asked for    | `sending`  |
    | `unknown`  | the outcome of that attempt is found later                    | `sent`     |
    |            | the server is known to discard a repeated client id           | `queued`   |
    | `sent`     | a recall                                                      | `recalled` |

    One caller at a time sends, and only what is `queued` or `failed`: an `unknown` send is never repeated by itself. A
    send in state `sending` cannot be deleted.

    A background send is made by the process that runs the account. It is one until it has an outcome, so it is still
    one if nothing was transmitted, and it is `queued` again.

    Keys and client ids are unique among the existing sends of an account.
    """

    on_change: Callable[[int], object]
    """
    Called with the number of each send that this object has stored or changed; it must raise no error.

    A move to the background is not reported, because it changes nothing that others see of a send.
    """

    async def add(
        self, *, client_id: str, chat: ContactId, kind: str, text: str, key: str, time: float,
        state: Literal["queued", "sending"] = "queued", addressed: str = "", content_id: str = "",
        background: bool = False,
    ) -> Outgoing:  # fmt: skip
        """
        Store a send, or return the existing send with the same key, unchanged.

        Args:
            client_id: The send's id for all attempts. A returned row with another client id is an existing send.
            chat: The recipient.
            kind: Kind of content.
            text: The text, or the file's name.
            key: Idempotency key of the caller; empty for none.
            time: The current time, in seconds since 1970.
            state: `sending` if the first byte may be transmitted as soon as this returns.
            addressed: Recipient as the caller has named it, as in `Outgoing`.
            content_id: Id of the content, as in `Outgoing`.
            background: Whether the process that runs the account makes the send. Where several processes share a
                database, it is announced to them in the same transaction.

        Raises:
            StorageError: The send was not stored, for example because another send has this client id; or it is unknown
                whether it was stored. Then a send that was stored as `sending` becomes `queued` as soon as the journal
                can be written.
        """
        ...

    async def sending(self, number: int, time: float, chat: ContactId) -> bool:
        """
        Set a send to `sending`, and return whether its first byte may be transmitted.

        It may not if the send is no longer `queued` or `failed`, because another caller is sending it. The recipient's
        id `chat` differs between logins, so each attempt stores it again.

        Raises:
            StorageError: It may or may not be stored; if it was, the send becomes `queued` as soon as the journal can
                be written.
        """
        ...

    async def settle(
        self, number: int, state: Literal["queued", "sent", "failed", "unknown", "recalled"], *, time: float,
        receipt: Receipt | None = None, ret: int = 0, begun_at: float | None = None,
    ) -> None:  # fmt: skip
        """
        Store the outcome of a send; `queued` if provably nothing was transmitted, or the platform's rate limit hit.

        `sent` may be stored in a later transaction, a few milliseconds after this returns. Every method of this journal
        sees the outcome at once, and a kill of the process does not lose it, where the system allows that. A power
        failure may lose it until then, and the send is `unknown`.

        Args:
            number: Number of the send.
            state: The state from now on.
            time: The current time, in seconds since 1970.
            receipt: The platform's receipt of a send that is `sent`.
            ret: The platform's error code of a send that is `failed`, of at most 32 bits.
            begun_at: Time of the attempt's begin, as it was stored with `sending`: then the outcome replaces only
                `sending` or `unknown` of that attempt, never a later state. If it cannot be stored now, it is kept, for
                `KEPT_OUTCOMES` sends at most, and is stored as soon as the journal can be written. None: the state is
                replaced, whatever it is.

        Raises:
            StorageError: The outcome was not stored, and is not kept.
        """
        ...

    async def move_to_background(self, number: int, *, file: str = "") -> bool:
        """
        Make a send without an outcome a background send, and return whether it was none before.

        Args:
            number: Number of the send.
            file: Name of its stored file; empty for a text.

        Raises:
            NotOwner: Another process owns the account, and there is a file: only the owner stores it. A text may be
                moved by any process, and is made by the owner.
        """
        ...

    async def queue_again(self, number: int, time: float) -> bool:
        """
        Make a refused text a background send, by any process, and return whether it was one that was refused.

        Args:
            number: Number of the send.
            time: The current time, in seconds since 1970.
        """
        ...

    async def end_background(self) -> None:
        """Leave all background sends `queued` as they are: no process makes them by itself any more."""
        ...

    async def flush(self) -> None:
        """Return once every outcome that was passed to `settle` is stored."""
        ...

    async def find(self, query: SendQuery) -> list[Outgoing]:
        """
        Return the sends that match a query; a send whose process has died is `unknown`.

        The newest are first; with `after`, the oldest.
        """
        ...

    async def count(self) -> dict[State, int]:
        """Return the number of sends in each state that occurs; a send whose process has died is `unknown`."""
        ...

    async def remove(self, number: int) -> bool:
        """Delete a send, free its key, and return whether it was deleted; a send in state `sending` stays."""
        ...


class Attempt(NamedTuple):
    """The right to begin attempts at sends."""

    sender: str
    """Name of this process, as in the rows of sends."""
    epoch: int
    """Epoch of the account; 0 in a file."""


Change: TypeAlias = "tuple[str, tuple[Value, ...]]"
"""A statement, and its values."""


class AttemptStore(Protocol):
    """The attempts at sends of one account, by this process and by others."""

    async def begin(self) -> Attempt:
        """
        Show other processes that this one sends, and return what a new attempt is stored with.

        Raises:
            NotOwner: Another process owns the account.
            StorageError: The journal was closed, or no attempt can be begun.
        """
        ...

    async def epoch(self) -> int:
        """Return the epoch of the account; 0 in a file."""
        ...

    async def settle(
        self, changes: Sequence[Change], *, number: int, sent: bool, receipt: str | None, keeps: bool
    ) -> None:
        """
        Store the outcome of an attempt.

        Args:
            changes: The statement that stores it, and one that follows from it.
            number: The number of the send.
            sent: The platform confirmed a send in state `sending`, so the outcome may be stored a little later.
            receipt: The receipt as JSON.
            keeps: Whether an outcome that cannot be stored now is kept (`keep`).

        Raises:
            StorageError: The outcome was not stored, and is not kept.
        """
        ...

    async def keep(self, text: str, *values: Value) -> None:
        """Make a change as soon as the journal can be written."""
        ...

    async def settle_dead(self) -> None:
        """Store all pending outcomes, and set sends whose process has died to `unknown`."""
        ...

    async def flush(self) -> None:
        """
        Return once every outcome that was passed to `settle` is stored.

        Raises:
            StorageError: One of them cannot be stored now; it is still kept.
        """
        ...


OUTBOX = StoredTable(
    name="outbox",
    # without `background` and `file`: otherwise the source and its copy would both send
    columns=(
        "number", "client_id", "key", "chat", "kind", "text", "addressed", "content_id", "state", "message_id",
        "receipt", "ret", "created_at", "changed_at",
    ),
    copied_as={"state": "CASE state WHEN 'sending' THEN 'unknown' ELSE state END"},
    ages=Ageing(time="created_at", only_if="state <> 'sending'"),
    ddl="""
CREATE TABLE outbox (
    account bigint NOT NULL,
    number NUMBERED,
    client_id text NOT NULL,
    key text NOT NULL,
    chat text NOT NULL,
    kind text NOT NULL,
    text text NOT NULL,
    addressed text NOT NULL DEFAULT '',         -- the recipient as the caller has named it, as JSON
    content_id text NOT NULL DEFAULT '',        -- SHA-256 of a file, md5 of a sticker, or id of a forwarded message
    background boolean NOT NULL DEFAULT false,  -- the owner of the account sends it, and no caller waits for it
    file text NOT NULL DEFAULT '',              -- name of the stored file that is sent in the background
    state text NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,            -- of the process that sends it; 0 in a file
    sender text NOT NULL DEFAULT '',            -- lock of the process that sends it
    message_id text NOT NULL DEFAULT '',        -- of the receipt
    receipt text,                               -- JSON
    ret integer NOT NULL DEFAULT 0,
    created_at float8 NOT NULL,
    changed_at float8 NOT NULL
);
CREATE UNIQUE INDEX outbox_client_id ON outbox (account, webwx_key(client_id));
CREATE UNIQUE INDEX outbox_key ON outbox (account, webwx_key(key)) WHERE key <> '';
CREATE INDEX outbox_account ON outbox (account, number);
CREATE INDEX outbox_state ON outbox (account, state, number);
CREATE INDEX outbox_chat ON outbox (account, webwx_key(chat), number);
CREATE INDEX outbox_message ON outbox (account, webwx_key(message_id)) WHERE message_id <> '';
CREATE INDEX outbox_background ON outbox (account, number) WHERE background AND state = 'queued';
CREATE INDEX outbox_age ON outbox (account, created_at);
""",
)  # fmt: skip


class _SendRow(NamedTuple):
    number: int
    client_id: str
    key: str
    chat: str
    kind: str
    text: str
    addressed: str
    content_id: str
    background: bool
    file: str
    state: State
    receipt: str | None
    ret: int
    created_at: float
    changed_at: float


class _NumberOfSend(NamedTuple):
    number: int


class _StateCount(NamedTuple):
    state: State
    number: int


_COLUMNS = ", ".join(_SendRow._fields)

_SENDS = f"SELECT {_COLUMNS} FROM outbox"  # noqa: S608 - names of columns

_SENDS_OF_NUMBERS = f"""
SELECT {_COLUMNS}
FROM (SELECT o.* FROM EACH ($1::bigint[]) n LOOKUP JOIN outbox o ON (o.account = $0 AND o.number = n.value)) AS sends
"""  # noqa: S608 - as above

_ADDED = """
    account, client_id, key, chat, kind, text, addressed, content_id, background, state, epoch, sender, created_at,
    changed_at"""

_OF_ADDED = "$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12"

_ADD = f"INSERT INTO outbox ({_ADDED}) VALUES ({_OF_ADDED})"  # noqa: S608 - no value

_ADD_NEW = f"""
INSERT INTO outbox ({_ADDED})
SELECT {_OF_ADDED}
WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE account = $0 AND key <> '' AND webwx_key(key) = webwx_key($2))
ON CONFLICT DO NOTHING
"""  # noqa: S608 - no value
"""
Adds a send unless its key or its client id is known.

A known key yields no row, so it takes no number; a conflict, which takes one, is left for a key that another process
stores at the same time.
"""

_BEGIN = """
UPDATE outbox SET state = 'sending', epoch = $2, sender = $3, chat = $4, changed_at = $5
WHERE account = $0 AND number = $1 AND state IN ('queued', 'failed')
"""

_SETTLE = """
UPDATE outbox SET state = $3, sender = '', receipt = $4, message_id = $5, ret = $6, changed_at = $7,
    background = background AND $3 = 'queued', file = CASE $3 WHEN 'queued' THEN file ELSE '' END
WHERE account = $0 AND number = $1 AND epoch <= $2
"""
"""Stores an outcome, unless the send was begun again by a process that owns the account now."""

_SETTLE_ATTEMPT = f"{_SETTLE} AND state IN ('sending', 'unknown') AND changed_at = $8"
"""
Stores an outcome only if the send waits for the outcome of the attempt that was begun at this time.

Only the begin of an attempt and its outcome change the time, so it identifies the attempt, also after the send became
`unknown` because its process seemed dead.
"""

_UNDO = """
UPDATE outbox SET state = 'queued', sender = ''
WHERE account = $0 AND sender = $1 AND state = 'sending' AND changed_at = $2 AND number = $3
"""
"""Stores that an attempt was not begun."""

_UNDO_ADD = """
UPDATE outbox SET state = 'queued', sender = ''
WHERE account = $0 AND sender = $1 AND state = 'sending' AND changed_at = $2 AND webwx_key(client_id) = webwx_key($3)
"""
"""Stores that the attempt was not begun with which a send was added."""

_OF_KEY = Select(_SendRow, f"{_SENDS} WHERE account = $0 AND key <> '' AND webwx_key(key) = webwx_key($1)")

_COUNT = Select(_StateCount, "SELECT state, count(*) AS number FROM outbox WHERE account = $0 GROUP BY state")

_SINCE = Select(
    _NumberOfSend,
    "SELECT number FROM outbox WHERE account = $0 AND created_at >= $1 ORDER BY created_at DESC LIMIT $2",
)

_MOVE_TO_BACKGROUND = """
UPDATE outbox SET background = true, file = $2
WHERE account = $0 AND number = $1 AND state IN ('queued', 'sending') AND NOT background
"""

_QUEUE_AGAIN = """
UPDATE outbox SET state = 'queued', background = true, ret = 0, changed_at = $2
WHERE account = $0 AND number = $1 AND state = 'failed' AND kind = 'text'
"""

_END_BACKGROUND = """
UPDATE outbox SET background = false, file = '' WHERE account = $0 AND state IN ('queued', 'sending') AND background
"""

_REMOVE = "DELETE FROM outbox WHERE account = $0 AND number = $1 AND state <> 'sending'"


class StoredSends(Outbox):
    """
    An account's sends; `Outbox` states the guarantees.

    Args:
        tables: The account's tables.
        attempts: The attempts at its sends.
    """

    def __init__(self, tables: Tables, attempts: AttemptStore) -> None:
        self._tables = tables
        self._attempts = attempts
        self._begun: dict[int, int] = {}
        """Epoch under which each unfinished send was begun, by number."""
        self.on_change: Callable[[int], object] = lambda _: None

    def __repr__(self) -> str:
        return "StoredSends(***)"

    @override
    async def add(
        self, *, client_id: str, chat: ContactId, kind: str, text: str, key: str, time: float,
        state: Literal["queued", "sending"] = "queued", addressed: str = "", content_id: str = "",
        background: bool = False,
    ) -> Outgoing:  # fmt: skip
        client_id, key, kind, text = map(clean_text, (client_id, key, kind, text))
        chat, addressed, content_id = ContactId(clean_text(chat)), clean_text(addressed), clean_text(content_id)
        # A send that the owner of the account begins later may be added by any process.
        attempt = await self._attempts.begin() if state == "sending" else Attempt("", 0)
        by: Literal["owner", "any"] = "owner" if state == "sending" else "any"
        values = (
            client_id, key, chat, kind, text, addressed, content_id, background, state, attempt.epoch, attempt.sender,
            time,
        )  # fmt: skip
        try:
            number = await self._tables.insert(_ADD_NEW, *values, by=by, announces=background)
            if not number:
                known = await self._of_key(key) if key else None
                if known is not None and (known.state, known.client_id) != ("sending", client_id):
                    return known
                number = await self._tables.insert(_ADD, *values, by=by, announces=background)
        except (NotOwner, ChangeRefused):
            raise
        except StorageError:
            if state == "sending":  # it is unknown whether it was stored
                await self._attempts.keep(_UNDO_ADD, attempt.sender, time, client_id)
            raise
        if state == "sending":
            self._begun[number] = attempt.epoch
        self.on_change(number)
        return Outgoing(
            number=number, client_id=client_id, key=key, chat=chat, kind=kind, text=text, addressed=addressed,
            content_id=content_id, background=background, state=state, created_at=time, changed_at=time,
        )  # fmt: skip

    async def _of_key(self, key: str) -> Outgoing | None:
        """Return the send with a key; one whose process has died is `unknown`."""
        row = await self._tables.read(lambda db: db.one(_OF_KEY, key))
        if row is not None and row.state == "sending":
            await self._attempts.settle_dead()
            row = await self._tables.read(lambda db: db.one(_OF_KEY, key))
        return None if row is None else _send(row)

    @override
    async def sending(self, number: int, time: float, chat: ContactId) -> bool:
        attempt = await self._attempts.begin()
        try:
            is_begun = await self._tables.change(_BEGIN, number, attempt.epoch, attempt.sender, chat, time) == 1
        except (NotOwner, ChangeRefused):
            raise
        except StorageError:  # it is unknown whether it was stored
            await self._attempts.keep(_UNDO, attempt.sender, time, number)
            raise
        if is_begun:
            self._begun[number] = attempt.epoch
            self.on_change(number)
        return is_begun

    async def settle(
        self, number: int, state: Literal["queued", "sent", "failed", "unknown", "recalled"], *, time: float,
        receipt: Receipt | None = None, ret: int = 0, begun_at: float | None = None,
    ) -> None:  # fmt: skip
        """
        Store the outcome of a send.

        Only the process that has sent knows the outcome. It is stored even if the process no longer owns the account,
        unless the send was begun again under a higher epoch.
        """
        begun = self._begun.pop(number, None)
        epoch = await self._attempts.epoch() if begun is None else begun
        written = None if receipt is None else receipt.to_json()
        message_id = "" if receipt is None else receipt.message_id
        values: tuple[Value, ...] = (number, epoch, state, written, message_id, ret, time)
        text = _SETTLE
        if begun_at is not None:
            text, values = _SETTLE_ATTEMPT, (*values, begun_at)
        # The outcome of a send that is `unknown` already is stored at once: only one in state `sending` is waited for.
        is_first = state == "sent" and begun is not None
        changes: list[Change] = [(text, values)]
        if is_first:
            changes.append((MARK_CHAT_OF_SEND, (number, time)))
        await self._attempts.settle(changes, number=number, sent=is_first, receipt=written, keeps=begun_at is not None)
        self.on_change(number)

    @override
    async def move_to_background(self, number: int, *, file: str = "") -> bool:
        return await self._tables.change(_MOVE_TO_BACKGROUND, number, file, by="owner" if file else "any") == 1

    @override
    async def queue_again(self, number: int, time: float) -> bool:
        is_queued = await self._tables.change(_QUEUE_AGAIN, number, time, by="any") == 1
        if is_queued:
            self.on_change(number)
        return is_queued

    @override
    async def end_background(self) -> None:
        await self._tables.change(_END_BACKGROUND, by="any")

    @override
    async def flush(self) -> None:
        await self._attempts.flush()

    @override
    async def find(self, query: SendQuery) -> list[Outgoing]:
        async def read(db: Statements) -> list[_SendRow]:
            text, values = _find(query, await _sends_since(db, query) if query.since else None)
            return await db.all(Select(_SendRow, text), *values)

        # An outcome that is not stored yet is of a `sending` row, which no message id and no other state finds.
        if not query.states:
            rows = await self._tables.read(read)
            if all(row.state != "sending" for row in rows) and (rows or query.message_id is None):
                return [_send(row) for row in rows]
        await self._attempts.settle_dead()
        return [_send(row) for row in await self._tables.read(read)]

    @override
    async def count(self) -> dict[State, int]:
        await self._attempts.settle_dead()
        return {row.state: row.number for row in await self._tables.read(lambda db: db.all(_COUNT))}

    @override
    async def remove(self, number: int) -> bool:
        await self._attempts.settle_dead()
        return await self._tables.change(_REMOVE, number) == 1


async def _sends_since(db: Statements, query: SendQuery) -> list[int] | None:
    """
    Return the numbers of the sends since the time of a query; None for many, of which the newest fill a page.

    The order of the times need not be that of the numbers, so the numbers do not tell where the time begins.
    """
    most = max(_FEW, query.limit)
    found = await db.all(_SINCE, query.since, most + 1)
    return [row.number for row in found] if len(found) <= most else None


def _find(query: SendQuery, numbers: list[int] | None) -> tuple[str, list[Value]]:
    """
    Return the query that finds sends, with its values.

    Sends of some chats or states are one ordered query each: with `= ANY`, all of them would be read and sorted. Nearly
    all sends are `sent`; those in other states are read by their state, because few of them are of any chat.

    Args:
        query: The conditions.
        numbers: Numbers of the sends that meet its condition `since`; None: they were not looked up.
    """
    chats, states = sorted({clean_text(chat) for chat in query.chats}), sorted(set(query.states))
    if numbers is not None and not query.background:
        part = _conditions(query, "true")
        return f"{_SENDS_OF_NUMBERS} WHERE {part.renumbered(1)}", [numbers, *part.values]
    if query.background:
        parts = [_conditions(query, "background AND state = 'queued'", by="background")]  # as in the index
    elif states and len(states) <= _SEPARATE and not (chats and "sent" in states):
        parts = [_conditions(query, "state = {}", state, by="state") for state in states]
    elif 1 <= len(chats) <= _SEPARATE:
        parts = [_conditions(query, "webwx_key(chat) = webwx_key({})", chat, by="chat") for chat in chats]
    else:
        parts = [_conditions(query, "true")]
    if len(parts) == 1:
        return f"{_SENDS} WHERE {parts[0].text}", parts[0].values
    texts: list[str] = []
    values: list[Value] = []
    for place, part in enumerate(parts):
        texts.append(f"SELECT * FROM ({_SENDS} WHERE {part.renumbered(len(values))}) AS part{place}")  # noqa: S608 - no value
        values += part.values
    return f"{' UNION ALL '.join(texts)} {_order(query)}", values


def _order(query: SendQuery) -> str:
    return f"ORDER BY number {'DESC' if query.after is None else 'ASC'} LIMIT {int(query.limit)}"


def _conditions(
    query: SendQuery, first: str, *values: Value, by: Literal["chat", "state", "background", ""] = ""
) -> Conditions:
    """
    Return the conditions of a query.

    Args:
        query: The query.
        first: The condition whose index is used, and not those of chats or states.
        values: Its values.
        by: What `first` is a condition of.
    """
    matching = Conditions(f"account = $0 AND {first}", *values)
    if query.chats and by != "chat":
        matching.also("chat || '' = ANY ({}::varchar[])", [clean_text(chat) for chat in query.chats])
    if query.states and by != "state":
        matching.also("state || '' = ANY ({}::varchar[])", list(query.states))
    if query.number is not None:
        matching.also("number = {}", query.number)
    if query.key is not None:
        matching.also("key <> '' AND webwx_key(key) = webwx_key({})", query.key)
    if query.client_id is not None:
        matching.also("webwx_key(client_id) = webwx_key({})", query.client_id)
    if query.message_id is not None:
        matching.also("message_id <> '' AND webwx_key(message_id) = webwx_key({})", query.message_id)
    if query.before is not None:
        matching.also("number < {}", query.before)
    if query.after is not None:
        matching.also("number > {}", query.after)
    if query.since:
        matching.also("+created_at >= {}", query.since)  # in the order of the numbers, not by the index of the times
    if query.until:
        matching.also("+created_at <= {}", query.until)
    matching.then(_order(query))
    return matching


def _send(row: _SendRow) -> Outgoing:
    return Outgoing(
        number=row.number, client_id=row.client_id, key=row.key, chat=ContactId(row.chat), kind=row.kind, text=row.text,
        addressed=row.addressed, content_id=row.content_id, background=row.background, file=row.file, state=row.state,
        receipt=None if row.receipt is None else Receipt.from_json(row.receipt), ret=row.ret,
        created_at=row.created_at, changed_at=row.changed_at,
    )  # fmt: skip
