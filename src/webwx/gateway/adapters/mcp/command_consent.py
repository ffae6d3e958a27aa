"""
The consent of the owner to sends of `webwx mcp`: the questions, the answers and the accepted sends, in this process.

All of it is that of the gateway (`Confirmations`), with one account. While a question waits, the messages that the
owner writes are read from the journal of the account, which this process, another one or a gateway fills. A question
and its answer outlive the process: the next one continues, and several ones of the same agent share them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from webwx.client.cancellation import cancel_until_done
from webwx.errors import SendOutcomeUnknown, WxError
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.adapters.confirmation import LONG_CODE_DIGITS
from webwx.gateway.adapters.confirmations import Confirmations
from webwx.gateway.adapters.mcp.command_agents import ACCOUNT
from webwx.gateway.problems import GatewayProblem
from webwx.model.contacts import FILEHELPER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account_sends import MediaContent
    from webwx.gateway.adapters.confirmed_account import TakeAnswer
    from webwx.gateway.adapters.mcp.served_account import ClientAccount
    from webwx.gateway.adapters.program import Program
    from webwx.storage.tables.outbox import Outgoing
    from webwx.storage.tables.records import RecordStore

_log = logging.getLogger("webwx.gateway")

_LOOK_EVERY = 5.0
"""Seconds between two looks for questions that another process has asked, and until a failed look is repeated."""

_BATCH = 500
"""Number of events that are read at once."""

_BEFORE = 1.0
"""Seconds before a question from which on messages are read, because the platform has whole seconds."""

_LAST_SENDS = 10.0
"""Seconds that the end of the process waits for accepted sends in progress."""

T = TypeVar("T")


@contextlib.asynccontextmanager
async def command_confirmations(
    records: RecordStore, account: ClientAccount, program: Program, clock: Callable[[], float], *, is_on_phone: bool
) -> AsyncIterator[Confirmations]:
    """
    Yield the questions of an agent; until the end of the context, take the answers and make the accepted sends.

    Args:
        records: Stores the questions.
        account: The account.
        program: The agent.
        clock: Returns seconds since 1970.
        is_on_phone: Whether the owner is asked on the phone; otherwise no message is an answer, and no send is made
            without a call.
    """
    owned = _CommandAccount(account, lambda: messages.look())
    messages = _FilehelperReader(owned, account.wait_for_event, lambda: confirmations.waiting_since(program))
    confirmations = Confirmations(records, owned, messages, clock, code_digits=LONG_CODE_DIGITS)
    if is_on_phone:
        await confirmations.begin(program)
    try:
        yield confirmations
    finally:
        await owned.sends.finish()
        await confirmations.end(program)
        await messages.close()


class _Status(NamedTuple):
    """The state of the account."""

    state: str


class _CommandAccount:
    """
    The only account, with what questions and accepted sends need of it.

    Args:
        account: The account.
        asked: Called after a question was stored.
    """

    number = ACCOUNT

    def __init__(self, account: ClientAccount, asked: Callable[[], object]) -> None:
        self._account = account
        self.sends = _CommandSends(account, asked)

    @property
    def client(self) -> AsyncClient:
        """Reads the messages and the outbox of the account."""
        return self._account.client

    def account(self, number: int) -> _CommandAccount:
        """Return the account."""
        del number
        return self

    async def list_owned(self) -> list[int]:
        """Return the account: each process makes accepted sends, and the key of a send lets one of them make it."""
        return [ACCOUNT]

    async def status(self) -> _Status:
        """Return the state of the account."""
        return _Status(await self._account.state())


class _CommandSends:
    """
    The sends of the account, each with its key.

    Args:
        account: The account.
        asked: Called after a question was stored.
    """

    def __init__(self, account: ClientAccount, asked: Callable[[], object]) -> None:
        self._account = account
        self._asked = asked
        self._sending: set[asyncio.Task[Any]] = set()

    async def store_text(self, to: str | int, text: str, *, key: str = "") -> Outgoing:
        """Send a text, and return it as it is stored."""
        row = await self._whole(self._account.store_text(to, text, key=key))
        self._asked()
        return row

    async def enqueue(self, to: str | int, text: str, *, key: str = "") -> None:
        """Send a text."""
        await self._whole(self._account.store_text(to, text, key=key))

    async def forward(self, number: int, to: str | int, *, key: str = "") -> None:
        """Forward an event by its number."""
        event = await self._account.client.find_message(number)
        if event is None:
            raise GatewayProblem("not-found", "The message is not stored any more.")
        await self._made(self._account.forward(event, to, key=key), key)

    async def send(self, to: str | int, content: MediaContent, *, key: str = "", wait: float = 25.0) -> None:
        """Send a file, and wait for its outcome however long it takes: it is not stored here."""
        del wait
        await self._made(self._account.send_file(to, content.path, name=content.name, key=key), key)

    async def _made(self, work: Coroutine[Any, Any, object], key: str) -> None:
        """
        Make a send.

        Raises:
            ConnectFailed: It is not finished, and is tried again.
            WxError: It was not sent.
        """
        try:
            await self._whole(work)
        except SendOutcomeUnknown:
            await self._account.finished(key)
            raise

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Finish a send also if its caller is cancelled."""
        task = asyncio.get_running_loop().create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait for the sends in progress, for some seconds."""
        if self._sending:
            await asyncio.wait(set(self._sending), timeout=_LAST_SENDS)
        await cancel_until_done(self._sending)


class _FilehelperReader:
    """
    Reads what arrives in File Transfer Helper, as long as a question waits.

    Args:
        account: The account.
        wait_for_event: Returns after an event with a higher number, or after some seconds.
        waiting_since: Returns the time of the oldest question that waits; None if none waits.
    """

    def __init__(
        self,
        account: _CommandAccount,
        wait_for_event: Callable[[int, float], Awaitable[object]],
        waiting_since: Callable[[], Awaitable[float | None]],
    ) -> None:
        self._account = account
        self._wait_for_event = wait_for_event
        self._waiting_since = waiting_since
        self._position = 0
        """Number of the newest event that was taken."""
        self._asked = asyncio.Event()
        self._tasks: list[asyncio.Task[NoReturn]] = []

    def look(self) -> None:
        """Read now, because a question was asked."""
        self._asked.set()

    async def begin(self, program: Program, push: TakeAnswer, *, is_for_owner: bool) -> None:
        """Call a function with each event, the ones since the oldest question that waits included."""
        assert is_for_owner  # noqa: S101 - nothing else is read here
        self._tasks.append(asyncio.get_running_loop().create_task(self._run(program, push)))

    async def close(self) -> None:
        """Stop to read."""
        await cancel_until_done(self._tasks)

    async def _run(self, program: Program, push: TakeAnswer) -> NoReturn:
        while True:
            self._asked.clear()
            is_waiting = False
            try:
                since = await self._waiting_since()
                if since is not None:
                    await self._take_from(since - _BEFORE, program, push)
                    is_waiting = True
            except (WxError, GatewayProblem) as error:
                _log.debug("The owner's answers cannot be read now (%s).", type(error).__name__)
            if is_waiting:
                await self._wait_for_event(self._position, _LOOK_EVERY)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY):
                        await self._asked.wait()

    async def _take_from(self, since: float, program: Program, push: TakeAnswer) -> None:
        while events := await self._account.client.read_events(self._position, since=since, limit=_BATCH):
            for event in events:
                if getattr(event, "chat", None) == FILEHELPER:
                    await push(program, self._account, AccountEvent(account=ACCOUNT, event=event))
                self._position = event.number
