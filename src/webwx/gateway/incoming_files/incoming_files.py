"""
Saving of incoming files by rules.

Each rule is a consumer of the journal of each of its accounts. A file is written under a temporary name and renamed
when it is complete; it never replaces another file and is never outside of its folder. A file that cannot be saved is
tried again: without a limit while the disk or the network prevents it, otherwise at stored times until it becomes a
dead letter.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from webwx.client.sending.files import Place
from webwx.cluster.reachable import until_reachable
from webwx.errors import LocalStateError, LoggedOut, NotLoggedIn, RateLimited, RecordChanged, TransportError, WxError
from webwx.gateway.accounts.consumers import RunningConsumers
from webwx.gateway.incoming_files.rules import CONSUMER_PREFIX
from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.problems import GatewayProblem, code_of_error
from webwx.gateway.queues.keyed_queue import Failure, KeyedQueue
from webwx.gateway.queues.retry_times import RetryTimes
from webwx.representations.incoming_files import FileOutcome
from webwx.storage.locks import explain, flush_folder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from webwx.gateway.accounts.account import GatewayAccount, GatewayAccounts
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.config import IncomingFilesTable
    from webwx.gateway.incoming_files.rules import IncomingFileRule, IncomingFileRules
    from webwx.storage.tables.records import RecordStore

_log = logging.getLogger("webwx.gateway")

PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0)
"""Seconds before each further attempt to save a file."""

REMEMBERED_FILES = 100
"""Number of the latest files of each rule that are remembered."""

_PASSING = (LocalStateError, RateLimited, TransportError)
"""Errors that the file has not caused; it is tried again without a limit."""

_AT_ONCE = 2
"""Number of files of a rule that are fetched at the same time."""

_WAITING = 100
"""Number of files of a rule and an account in memory, those included that wait for their next attempt."""

RETRY_KIND = "incoming-file-retry"
"""Kind of the records with the times of the next attempts."""

_OUTCOMES = "incoming-files"
"""Kind of the records with the outcomes of a rule."""


class IncomingFile(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for an incoming file."""

    account: int
    number: int
    """Number of the event."""
    outcome: FileOutcome
    time: float
    """Time of the outcome: seconds since 1970."""
    name: str = ""
    """Name of the file in the rule's folder; empty if the file was not saved."""
    size: int = 0
    """Size in bytes; 0 if it is unknown."""
    chat_name: str = ""
    error: str = ""
    """Why the file was not saved."""
    error_code: str = ""
    """Code of the error, as of a problem; empty if an earlier version has stored it."""

    def __repr__(self) -> str:
        return f"IncomingFile({self.account}-{self.number}, {self.outcome})"


class FileTooLarge(Exception):
    """A file is larger than the rule allows."""


class IncomingFileOutcomes:
    """
    The latest outcomes of each rule, stored as records.

    Args:
        records: The records.
    """

    def __init__(self, records: RecordStore) -> None:
        self._records = records
        self._decoder = msgspec.json.Decoder(list[IncomingFile])
        self._writing = asyncio.Lock()

    def __repr__(self) -> str:
        return "IncomingFileOutcomes()"

    async def find(self, rule_id: str) -> list[IncomingFile]:
        """Return the latest outcomes of a rule, the newest first."""
        record = await self._records.get(_OUTCOMES, rule_id)
        return [] if record is None else self._decoder.decode(record.body)

    async def is_saved(self, rule_id: str, account: int, number: int) -> bool:
        """Return whether the file of an event was saved, if it is one of the latest."""
        return any(
            (each.account, each.number, each.outcome) == (account, number, "saved") for each in await self.find(rule_id)
        )

    async def add(self, rule_id: str, file: IncomingFile) -> None:
        """Store an outcome; it replaces the earlier one of the same file."""
        async with self._writing:
            while not await self._try_to_add(rule_id, file):
                pass

    async def _try_to_add(self, rule_id: str, file: IncomingFile) -> bool:
        """Store an outcome; return False if another gateway has stored one at the same time."""
        record = await self._records.get(_OUTCOMES, rule_id)
        earlier = [] if record is None else self._decoder.decode(record.body)
        others = [each for each in earlier if (each.account, each.number) != (file.account, file.number)]
        body = msgspec.json.encode([file, *others][:REMEMBERED_FILES])
        version = 0 if record is None else record.version
        try:
            await self._records.put(_OUTCOMES, rule_id, body, version=version, time=file.time)
        except RecordChanged:
            return False
        return True

    async def forget(self, rule_id: str) -> None:
        """Delete the outcomes of a rule."""
        async with self._writing:
            await self._records.delete(_OUTCOMES, rule_id)


class FileFolder:
    """
    The folder of a rule, below the root that the configuration names.

    Args:
        table: The configuration.
        path: Path below the root.
    """

    def __init__(self, table: IncomingFilesTable, path: str) -> None:
        self._root = Path(table.root)
        self._folder = self._root / path
        self._keep_free = table.keep_free

    def save(self, source: Path, name: str, limit: int, *, is_repeated: bool) -> tuple[Path, int]:
        """
        Copy a file into the folder under a free name, and return its path and size.

        Args:
            source: The file.
            name: Name of the file in the folder; a number is added if the name is taken.
            limit: Maximum number of bytes.
            is_repeated: Whether an earlier attempt may have saved the file; if so, an existing copy is returned.

        Raises:
            FileTooLarge: The file is larger than the limit.
            LocalStateError: The file cannot be written.
        """
        try:
            size = source.stat().st_size
            if size > limit:
                raise FileTooLarge
            self._prepare(size)
            place = Place(self._folder)
            with place.begin() as file, source.open("rb") as content:
                shutil.copyfileobj(content, file)
                os.fsync(file.fileno())
                saved = (place.find_copy(file, name) if is_repeated else None) or place.keep(file, name)
            flush_folder(self._folder)
        except OSError as error:
            raise LocalStateError(f"The file cannot be written: {explain(error)}") from None
        return saved, size

    def _prepare(self, size: int) -> None:
        """Create the folder; refuse one outside of the root, or on a disk that is too full."""
        if not self._root.is_dir():
            raise LocalStateError(
                "The root of incoming files is not a folder; it may be on a disk that is not mounted."
            )
        if not self._folder.resolve().is_relative_to(self._root.resolve()):
            raise LocalStateError("The folder is a link to a place outside of the root of incoming files.")
        if shutil.disk_usage(self._root).free - size < self._keep_free:
            raise LocalStateError(
                "The disk has too little free space; 'keep_free' in gateway.toml says how much stays."
            )
        self._folder.mkdir(parents=True, exist_ok=True)


class UnsavedFile(Failure, frozen=True, kw_only=True):
    """A failed attempt to save a file."""

    message: str
    """Why it has failed, as a sentence, which may name the file."""


class IncomingFileSaver:
    """
    Saves the files of one rule: the work of its keyed queue, in which no file waits for another one.

    Args:
        rule: The rule.
        folder: Folder of the rule.
        outcomes: Stores the outcome for each file.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self, rule: IncomingFileRule, folder: FileFolder, outcomes: IncomingFileOutcomes, clock: Callable[[], float]
    ) -> None:
        self._rule = rule
        self._folder = folder
        self._outcomes = outcomes
        self._clock = clock

    def __repr__(self) -> str:
        return f"IncomingFileSaver({self._rule.id})"

    def wants(self, account_event: AccountEvent) -> bool:
        """Return whether the file of an event is saved."""
        return self._rule.wants(account_event)

    def key_of(self, account_event: AccountEvent) -> int:
        """Return the number of an event, so that no file waits for another one."""
        return account_event.event.number

    async def attempt(self, account: GatewayAccount, account_event: AccountEvent) -> UnsavedFile | None:
        """
        Save a file, unless it is too large, or an attempt that was interrupted before its end has saved it.

        Raises:
            LoggedOut: The file is not downloaded yet, and the login has ended.
            NotLoggedIn: The file is not downloaded yet, and no login is saved.
        """
        number = account_event.event.number
        is_repeated = account_event.attempt > 1 or account_event.event.redelivered
        if is_repeated and await self._outcomes.is_saved(self._rule.id, account_event.account, number):
            return None
        try:
            saved, size = await self._copy(account, account_event, is_repeated=is_repeated)
        except FileTooLarge:
            await self._note(account_event, "too_large")
        except (LoggedOut, NotLoggedIn):
            raise
        except (GatewayProblem, WxError) as error:
            return UnsavedFile(
                code=code_of_error(error), message=str(error), is_passing=isinstance(error, _PASSING)
            )  # fmt: skip
        else:
            await self._note(account_event, "saved", name=saved.name, size=size)
        return None

    def pause_after(self, failure: UnsavedFile, failures: int) -> float | None:
        """Return the seconds until the next attempt; None after the last one at a file that has caused the failures."""
        if failures > len(PAUSES):
            return PAUSES[-1] if failure.is_passing else None
        return PAUSES[failures - 1]

    async def note(self, account_event: AccountEvent, failure: UnsavedFile | None, due: float | None) -> None:
        """Store the outcome for a file that was not saved."""
        if failure is None:
            return
        outcome: FileOutcome = "failed" if due is None else "retrying"
        await self._note(account_event, outcome, error=failure.message, error_code=failure.code)
        if due is None:
            _log.warning("Rule %s has given up a file (%s).", self._rule.id, failure.code)

    async def _copy(
        self, account: GatewayAccount, account_event: AccountEvent, *, is_repeated: bool
    ) -> tuple[Path, int]:
        if getattr(account_event.event, "size", 0) > self._rule.max_bytes:
            raise FileTooLarge
        media = await account.media(account_event.event.number)
        name = self._rule.file_name(account_event, media.path.name)
        return await asyncio.to_thread(
            self._folder.save, media.path, name, self._rule.max_bytes, is_repeated=is_repeated
        )  # fmt: skip

    async def _note(
        self, account_event: AccountEvent, outcome: FileOutcome, *, name: str = "", size: int = 0, error: str = "",
        error_code: str = "",
    ) -> None:  # fmt: skip
        size = size or getattr(account_event.event, "size", 0)
        file = IncomingFile(
            account=account_event.account, number=account_event.event.number, outcome=outcome, time=self._clock(),
            name=name, size=size, chat_name=account_event.chat_name, error=error, error_code=error_code,
        )  # fmt: skip
        await self._outcomes.add(self._rule.id, file)


class IncomingFiles:
    """
    Saves incoming files by all enabled rules while the gateway runs.

    Args:
        table: The configuration.
        port: The accounts.
        rules: The rules.
        records: Stores the outcomes.
        clock: Returns seconds since 1970.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        table: IncomingFilesTable,
        port: GatewayAccounts,
        rules: IncomingFileRules,
        records: RecordStore,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._table = table
        self._port = port
        self._rules = rules
        self._clock = clock
        self._sleep = sleep
        self.outcomes = IncomingFileOutcomes(records)
        """The outcomes for the latest files."""
        self._times = RetryTimes(RETRY_KIND, OwnedRecords(records, clock), clock)
        self._running = RunningConsumers(port, CONSUMER_PREFIX, self._consumer_names)
        self._applied: dict[str, IncomingFileRule] = {}
        """The rules that are in effect, as they were stored when they began."""
        self._applying = asyncio.Lock()

    def __repr__(self) -> str:
        return "IncomingFiles()"

    @property
    def root(self) -> str:
        """The folder that contains the folders of all rules; empty: no file is saved."""
        return self._table.root

    async def start(self) -> None:
        """Begin to save files."""
        self._running.start()
        for rule in await until_reachable(self._rules.find):
            await self._begin(rule)
        await self._running.clean_soon()

    async def _consumer_names(self) -> set[str]:
        return {rule.consumer for rule in await self._rules.find()}

    async def refresh(self) -> None:
        """Save files by the rules as other gateways have stored them."""
        stored = {rule.id: rule for rule in await self._rules.find() if rule.enabled and self.root}
        for rule_id in stored.keys() | self._applied.keys():
            if stored.get(rule_id) != self._applied.get(rule_id):
                await self._apply(rule_id, await self._port.list_owned())

    async def apply(self, rule_id: str) -> None:
        """
        Save files by a rule as it is stored now; stop if it was disabled or deleted.

        A new rule saves every file that arrives after this call, of the accounts that are logged in. Files that wait
        for their next attempt are tried at once.
        """
        await self._apply(rule_id)

    async def _apply(self, rule_id: str, accounts: Collection[int] | None = None) -> None:
        """Save files by a rule as it is stored now, and try waiting files of some accounts (None: all) at once."""
        async with self._applying:
            await self._running.end(rule_id)
            self._applied.pop(rule_id, None)
            await self._times.forget(rule_id, accounts)
            rule = await self._rules.get(rule_id)
            if rule is None:
                await self.outcomes.forget(rule_id)
                await self._running.clean()
            else:
                await self._begin(rule)

    async def close(self) -> None:
        """Stop; the next start continues with the files that are not saved."""
        await self._running.close()

    async def _begin(self, rule: IncomingFileRule) -> None:
        if not rule.enabled or not self.root:
            return
        self._applied[rule.id] = rule
        folder = FileFolder(self._table, rule.folder)
        saver = IncomingFileSaver(rule, folder, self.outcomes, self._clock)
        queue = KeyedQueue(
            rule.id, rule.consumer, self._port, rule.serves, saver, self._times, self._sleep,
            most_attempts=_AT_ONCE, most_keys=_WAITING,
        )  # fmt: skip
        await self._running.begin(rule.id, queue.consumers)
        await queue.consumers.until_open()
