"""
Pushes: events of an account that an adapter sends to an address of a program.

The events of a chat are pushed in their order, where the account runs, again after a failure and after a crash; see
`KeyedQueue`. An event of a chat that the program does not see is never pushed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from webwx.errors import LoggedOut, NotLoggedIn, TransportError, WxError
from webwx.gateway.accounts.consumers import RunningConsumers, require_room
from webwx.gateway.adapters.permissions import EVERY_CHAT, allowed_chats
from webwx.gateway.adapters.program import CONSUMER_PREFIX
from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.problems import GatewayProblem, code_of_error, public_sentence_of
from webwx.gateway.queues.keyed_queue import Failure, KeyedQueue
from webwx.gateway.queues.retry_times import RetryTimes
from webwx.model.contacts import FILEHELPER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from webwx.gateway.accounts.account import GatewayAccount, GatewayAccounts
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.adapters.peers import ProgramPeers
    from webwx.gateway.adapters.program import Program, StoredProgram
    from webwx.storage.tables.records import RecordStore

RETRY_KIND = "program-retry"
"""Prefix of the kinds of records with the times of the next attempts."""

PAUSES = (5.0, 30.0, 120.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
"""Seconds after each failed attempt until the next one; after the last one the event is a dead letter."""

_AT_ONCE = 10
"""Maximum number of pushes of a program at the same time."""


class Push(Protocol):
    """What an adapter does with an event."""

    async def __call__(self, program: Program, account: GatewayAccount, account_event: AccountEvent) -> None:
        """
        Push an event, which may have been pushed before; nothing to do is a success.

        Raises:
            WxError: The push has failed; it is tried again later.
            GatewayProblem: The same.
        """
        ...


class ProgramPushes:
    """
    The pushes of all programs at this node.

    Args:
        accounts: The accounts.
        find_programs: Returns all stored programs.
        records: Stores the times of the next attempts.
        peers: Notes failures.
        clock: Returns seconds since 1970.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        accounts: GatewayAccounts,
        find_programs: Callable[[], Awaitable[Sequence[StoredProgram]]],
        records: RecordStore,
        peers: ProgramPeers,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._accounts = accounts
        self._find_programs = find_programs
        self._peers = peers
        self._sleep = sleep
        self._times = RetryTimes(RETRY_KIND, OwnedRecords(records, clock), clock)
        self._running = RunningConsumers(accounts, CONSUMER_PREFIX, self._consumer_names)
        self._is_started = False
        """Whether a program has ever had pushes here; a gateway without any watches no accounts for them."""

    def __repr__(self) -> str:
        return "ProgramPushes()"

    async def begin(self, program: Program, push: Push, *, is_for_owner: bool = False) -> None:
        """
        Push the events of a program's account from now on, or from where an earlier push has ended.

        Args:
            program: The program, which has at most one push.
            push: Pushes an event.
            is_for_owner: Push what arrives in File Transfer Helper, and nothing else, whether the program sees it or
                not: it is not for the program, but for the gateway, such as an answer of the owner.

        Raises:
            TooManyOpenFiles: There is no room for a further consumer.
        """
        if not self._is_started:
            self._is_started = True
            self._running.start()
            await self._running.clean_soon()
        await require_room(self._accounts, lambda number: number == program.account)
        work = _PushWork(program, push, self._peers, is_for_owner=is_for_owner)
        queue = KeyedQueue(
            program.id, program.stored.consumer, self._accounts, lambda number: number == program.account, work,
            self._times, self._sleep, most_attempts=_AT_ONCE,
        )  # fmt: skip
        await self._running.begin(program.id, queue.consumers)
        await queue.consumers.until_open()

    async def end(self, program_id: str) -> None:
        """Stop the pushes of a program; the position stays stored."""
        await self._running.end(program_id)

    async def forget(self, program_id: str) -> None:
        """Delete the position and the times of a program that was deleted."""
        await self._times.forget(program_id)
        await self._running.clean()

    async def close(self) -> None:
        """Stop all pushes; the next start continues."""
        await self._running.close()

    async def _consumer_names(self) -> set[str]:
        return {each.consumer for each in await self._find_programs()}


class _PushWork:
    """The work of the keyed queue of one program."""

    def __init__(self, program: Program, push: Push, peers: ProgramPeers, *, is_for_owner: bool) -> None:
        self._program = program
        self._push = push
        self._peers = peers
        self._is_for_owner = is_for_owner

    def wants(self, account_event: AccountEvent) -> bool:
        """Return whether the event belongs to a chat; the chat itself is checked in the attempt."""
        if self._is_for_owner:
            return getattr(account_event.event, "chat", None) == FILEHELPER
        return bool(getattr(account_event.event, "chat", None)) or EVERY_CHAT in self._program.permissions.see

    def key_of(self, account_event: AccountEvent) -> str:
        """Return the chat of an event."""
        return str(getattr(account_event.event, "chat", None) or "")

    async def attempt(self, account: GatewayAccount, account_event: AccountEvent) -> Failure | None:
        """
        Push an event, if the program sees its chat.

        Raises:
            LoggedOut: The push needs a login.
            NotLoggedIn: The same.
        """
        try:
            if self._is_for_owner or await self._sees(account, account_event):
                await self._push(self._program, account, account_event)
        except (LoggedOut, NotLoggedIn):
            raise
        except (GatewayProblem, WxError) as error:
            text = str(error) if isinstance(error, TransportError) else public_sentence_of(error)
            self._peers.note_error(self._program.id, error, text)
            return Failure(code=code_of_error(error))
        return None

    async def _sees(self, account: GatewayAccount, account_event: AccountEvent) -> bool:
        allowed = await allowed_chats(self._program.permissions, account.client)
        return allowed.sees(getattr(account_event.event, "chat", None))

    def pause_after(self, failure: Failure, failures: int) -> float | None:
        """Return the seconds until the next attempt; None after the last one."""
        del failure
        return PAUSES[failures - 1] if failures <= len(PAUSES) else None

    async def note(self, account_event: AccountEvent, failure: Failure | None, due: float | None) -> None:
        """Do nothing: the last error of the program says what has failed."""
