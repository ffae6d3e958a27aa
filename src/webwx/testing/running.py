"""Running bots in a test: in a thread of their own, over real HTTP, with the world's clock."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from webwx.bot import threads
from webwx.bot.bot import check, start
from webwx.bot.chat_queues import DeliveryCounts
from webwx.bot.http_handlers import HttpRequest
from webwx.client.client import AsyncClient
from webwx.model.contacts import FILEHELPER, ContactId
from webwx.model.messages import TextMessage
from webwx.model.serialization import to_json
from webwx.sandbox.view import View
from webwx.storage.open import is_any_at_work, open_journal
from webwx.testing.carrier import Carrier
from webwx.testing.loop import WorldLoop
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from webwx.bot.bot import Bot
    from webwx.bot.http_handlers import HttpResponse
    from webwx.client.login.login import LoginStep
    from webwx.model.login import Account, QrCode
    from webwx.storage.base import Journal
    from webwx.storage.saved_login import LoginStore
    from webwx.testing.people import Chatroom, PhoneUser
    from webwx.testing.server import Server

_TIMEOUTS = Timeouts(retry=0.0)

_START = 30.0
"""Maximum real seconds until a bot is ready, or has ended."""

_QUIET = 0.002
"""Real seconds without activity after which a handler counts as waiting for the clock."""

_PATIENCE = 0.2
"""Real seconds that a running handler may take to end when the bots are stopped."""

_LONGEST = 2.0
"""Real seconds after which the wait for an active bot ends, if it was checked at least `_MIN_CHECKS` times."""

_MIN_CHECKS = 500
"""Minimum number of checks; on a busy machine they take longer than `_LONGEST`."""


class _Phoned(AsyncClient):
    """A client whose owner scans and confirms every login on the phone."""

    phone: Callable[[], object]

    async def login(
        self,
        *,
        show_qr: Callable[[QrCode], object] | None = None,
        max_codes: int = 3,
        on_push: Callable[[], object] | None = None,
        on_step: Callable[[LoginStep], object] | None = None,
        is_patient: bool = False,
    ) -> Account:
        del show_qr, on_push
        return await super().login(
            show_qr=lambda _: self.phone(), max_codes=max_codes, on_step=on_step, is_patient=is_patient
        )


class StoredState(msgspec.Struct, frozen=True, kw_only=True):
    """The stored state of a conversation."""

    step: str
    """Name of the step, as in `Survey.age`, to which a `Step` is equal; empty for none."""
    values: dict[str, Any]
    """The values; empty for none."""
    deadline: float | None
    """Time at which the conversation times out: seconds since 1970; None: never."""

    def __repr__(self) -> str:
        return f"StoredState({self.step!r}, {sorted(self.values)})"


class Running:
    """
    Running bots of one account. The end of `with sandbox.running(...)` stops them cleanly.

    Args:
        bots: Bots with different names.
        server: Origin of the server.
        account: World id of their account.
        store: Storage of the login.
        journal: Path of the journal.
    """

    def __init__(
        self, bots: tuple[Bot, ...], *, server: Server, account: str, store: LoginStore, journal: Path
    ) -> None:
        self.bots = bots
        """The running bots."""
        self.account = account
        """World id of their account."""
        self.error: BaseException | None = None
        """Error that ended the bots early."""
        self._server = server
        self._store = store
        self._path = journal
        self._loop: WorldLoop
        self._carrier: Carrier
        self._journal: Journal
        self._task: asyncio.Task[None]
        self._waiting = len(bots)
        self._fewest = sys.maxsize
        """Smallest number of callbacks from other threads during a check, when nothing else was active."""
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name="webwx bot", daemon=True)
        self._warnings = _WarningRecorder(self._thread)

    def __repr__(self) -> str:
        return f"Running({', '.join(bot.name for bot in self.bots)})"

    # -- beginning and ending ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """
        Log in, and return when every bot is ready to receive messages.

        Raises:
            TimeoutError: The bots are not ready after half a minute, for example because a fault prevents the login.

        An error that ends a bot before that is raised.
        """
        for bot in self.bots:
            bot.counts = DeliveryCounts()
        logging.getLogger("webwx").addHandler(self._warnings)
        self._thread.start()
        if not self._is_up.wait(_START):
            self.kill()
            raise TimeoutError("\n".join([f"{self!r} was not ready in time.", *self.warnings]))
        if self.error is not None:
            self.end()
            raise self.error
        self._fewest = min(self._pass() for _ in range(3))

    def end(self) -> None:
        """Stop the bots cleanly. A handler that waits for the clock is cancelled, and its event is delivered again."""
        self.settle()
        self._cancel()
        if self.unfinished_events:
            self._thread.join(_PATIENCE)
            self._cancel()
        self._thread.join(_START)

    def kill(self) -> None:
        """Stop the bots as a crash does: events that are being handled are delivered again."""
        self._cancel()
        self._thread.join(_QUIET)
        self._cancel()
        self._thread.join(_START)

    def _cancel(self) -> None:
        with suppress(RuntimeError):  # they have ended already
            self._loop.call_soon_threadsafe(self._task.cancel)

    # -- in the thread -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._make_loop) as runner:
                runner.run(self._serve())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised where the bots are waited for
            self.error = error
        finally:
            logging.getLogger("webwx").removeHandler(self._warnings)
            self._is_up.set()
            self._server.do(lambda: None)  # waiting callers check again

    def _make_loop(self) -> WorldLoop:
        self._loop = WorldLoop(self._server.world.clock.now)
        return self._loop

    async def _serve(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker: this is a coroutine
        self._task = task
        first = self.bots[0]
        self._carrier = Carrier(self._server.loop, _TIMEOUTS)
        self._journal = open_journal(self._path, retention_days=0)
        try:
            check(*self.bots)
            async with _Phoned(
                host=first.host, server=self._server.url, store=self._store, transport=self._carrier,
                timeouts=_TIMEOUTS, clock=self._server.world.clock.now, journal=self._journal, keep=first.keep,
                rate_limit=first.rate_limit,
            ) as client:  # fmt: skip
                client.phone = self._confirm
                await start(*self.bots, client=client, on_ready=self._note_ready)
        finally:
            await self._journal.close()
            await self._carrier.close()

    def _confirm(self) -> None:
        world = self._server.world
        self._server.do(lambda: (world.scan(self.account), world.confirm()))

    def _note_ready(self, _: Bot, __: AsyncClient) -> None:
        self._waiting -= 1
        if self._waiting <= 0:
            self._is_up.set()

    # -- what can be seen of them ------------------------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """Whether the bots are running."""
        return self._thread.is_alive() and self.error is None

    @property
    def calls(self) -> list[str]:
        """Names of the calls that the bots have made so far, such as `webwxsendmsg`, in order."""
        return list(self._carrier.calls)

    @property
    def warnings(self) -> list[str]:
        """Log messages of the bots from level WARNING on."""
        return list(self._warnings.messages)

    @property
    def seconds_to_timer(self) -> float | None:
        """Seconds until the next timer of the bots is due; None if they have no timers."""
        return self._loop.seconds_to_timer

    @property
    def unfinished_events(self) -> int:
        """Number of events that are being handled, or wait for another attempt."""
        return sum(bot.counts.in_flight for bot in self.bots)

    def state_of(
        self, who: PhoneUser | Chatroom, *, chat: Chatroom | None = None, bot: Bot | None = None
    ) -> StoredState:
        """
        Return the state of a conversation, after everything that was said has been handled.

        Args:
            who: The friend or the chatroom that the bot talks with; the account itself for File Transfer Helper.
            chat: The chatroom in which the friend talks, for a bot with `state_key="person"`.
            bot: The bot whose state it is; default: the first one.

        Raises:
            LookupError: The bot has not begun to run, or the account is not logged in.
        """
        self.settle()
        conversations = (bot or self.bots[0]).conversations
        if conversations is None:
            raise LookupError("The bot is not running, so it has no state.")
        event = self._server.do(lambda: self._text_of(who, chat or who))
        row = asyncio.run_coroutine_threadsafe(conversations.read(event), self._loop).result(_START)
        values = msgspec.json.decode(row.values, type=dict[str, Any]) if row.values else {}
        return StoredState(step=row.step, values=values, deadline=row.deadline)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | str = b"",
        json: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str = "",
        bot: Bot | None = None,
    ) -> HttpResponse:
        """
        Call a handler that `@bot.on_http` registered, as a gateway does, and return its answer.

        Args:
            method: Such as `POST`.
            path: Path below the bot's, such as `/deploy`.
            body: The body; a text is sent as UTF-8.
            json: A value to send as JSON in place of a body.
            query: Parameters of the query.
            headers: Headers by their names in lower case.
            key: Idempotency key of the request; default: a random one.
            bot: The bot; default: the first one.

        Raises:
            LookupError: No handler has this method and path.
            InvalidRequest: The handler cannot use the body.

        An error of the handler is raised.
        """
        self.settle()
        content = to_json(json) if json is not None else body
        request = HttpRequest(
            method=method, path=path, query=query or {}, headers=headers or {}, key=key or secrets.token_hex(12),
            body=content.encode() if isinstance(content, str) else content, caller="test",
        )  # fmt: skip
        answering = (bot or self.bots[0]).answer_http(request)
        answer = asyncio.run_coroutine_threadsafe(answering, self._loop).result(_START)
        self.settle()
        return answer

    def _text_of(self, author: PhoneUser | Chatroom, chat: PhoneUser | Chatroom) -> TextMessage:
        """Return a text as the bot would receive it; called in the server's thread."""
        world = self._server.world
        session = world.logins.live(world.person(self.account))
        if session is None:
            raise LookupError("The account is not logged in.")
        view, is_self = View(world, session), author.id == self.account
        return TextMessage(
            message_id="", chat=FILEHELPER if chat.id == self.account else ContactId(view.name(chat.id)),
            sender=ContactId(view.name(author.id)), is_self=is_self, time=0, content="", text="",
        )  # fmt: skip

    def check_clock(self) -> None:
        """Notify the bots that the clock was moved."""
        with suppress(RuntimeError):  # they have ended
            self._loop.check_clock()

    def settle(self) -> None:
        """Return when all messages are handled, except for what waits for the clock."""
        until = time.monotonic() + _LONGEST
        checks = 0
        while self.is_alive and (checks < _MIN_CHECKS or time.monotonic() < until):
            if self._has_received_all() and self._is_still():
                return
            checks += 1
            time.sleep(0.001)

    def _has_received_all(self) -> bool:
        return self._server.do(lambda: self._server.has_delivered_all(self.account))

    def _is_still(self) -> bool:
        """Return whether everything is idle: no call, no thread, no work of the journal, and no running handler."""
        try:
            arrivals = self._pass()
        except RuntimeError:
            return True  # they have ended
        self._fewest = min(self._fewest, arrivals)
        is_still = arrivals == self._fewest and not self._is_at_work()
        if not is_still or not self.unfinished_events:
            return is_still
        # A handler waits, for the clock or for its own work; only time tells which.
        before = self._loop.arrivals
        time.sleep(_QUIET)
        return not self._is_at_work() and self._loop.arrivals == before and self._loop.is_resting

    def _is_at_work(self) -> bool:
        """Return whether an answer is in progress, or a thread is working: neither depends on the virtual clock."""
        return bool(
            self._carrier.on_the_way
            or self._loop.in_threads
            or is_any_at_work()
            or threads.is_any_at_work()
        )  # fmt: skip

    def _pass(self) -> int:
        """Wait until the journal has done its present work, and count the callbacks of other threads meanwhile."""
        before = self._loop.arrivals
        asyncio.run_coroutine_threadsafe(self._pass_through_journal(), self._loop).result(_START)
        return self._loop.arrivals - before

    async def _pass_through_journal(self) -> None:
        part = self._journal.account(self._server.world.person(self.account).uin)
        await part.change_state("webwx.testing", lambda _: b"")
        await part.stats()


class _WarningRecorder(logging.Handler):
    """Log handler that collects the warnings of one thread."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self._thread = thread

    def emit(self, record: logging.LogRecord) -> None:
        """Store a record."""
        if record.thread == self._thread.ident:
            self.messages.append(record.getMessage())
