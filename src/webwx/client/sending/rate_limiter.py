"""
The rate limiter: an account's actions wait here until its rate limit allows them.

Within one client, the actions of one kind run one after the other in the order of the calls, and each makes its
reservation when the one before is done. So a process holds at most one reservation of a kind, no process waits for the
whole queue of another, and an action that the platform refused (1205) is repeated before any later one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from webwx.client.sending.rate_limit import LimiterState
from webwx.errors import RateLimited, RateLimitReached, StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.client.sending.rate_limit import Kind, RateLimit, RateLimitState, Reservation, WaitReason

_log = logging.getLogger("webwx.client")

T = TypeVar("T")

_DECODER = msgspec.json.Decoder(LimiterState)
"""
Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
"""

_NAME = "rate_limit"
"""Name of the limiter state in the journal."""


class LimiterStore(Protocol):
    """Storage of an account's limiter state: its part of a journal, or the memory of one client."""

    async def state(self, name: str) -> bytes:
        """Return the bytes stored under a name; empty if the name is unknown."""
        ...

    async def change_state(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        """Replace the stored bytes by the result of a function, atomically, and return them."""
        ...


class LimiterMemory:
    """Limiter state in the memory of one client."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}

    async def state(self, name: str) -> bytes:
        """Return the bytes stored under a name; empty if the name is unknown."""
        return self._states.get(name, b"")

    async def change_state(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        """Replace the stored bytes by the result of a function, atomically, and return them."""
        self._states[name] = change(self._states.get(name, b""))
        return self._states[name]


class Limiter(Protocol):
    """Delays the actions of one account."""

    delays: bool
    """Whether an action may have to wait."""

    def run(self, kind: Kind, act: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """Run an action once the rate limit allows it."""
        ...

    async def refused(self) -> None:
        """Store that the platform answered 1205 (too often)."""
        ...

    async def state(self) -> RateLimitState | None:
        """Return what the rate limit allows now; None without a rate limit."""
        ...


class NoRateLimit:
    """Runs every action at once, and raises the platform's refusals."""

    delays = False

    def run(self, kind: Kind, act: Callable[[], Awaitable[T]]) -> Awaitable[T]:  # noqa: ARG002 - no kind is limited
        """Run an action."""
        return act()

    async def refused(self) -> None:
        """Do nothing, because no action is delayed."""

    async def state(self) -> None:
        """Return None, because there is no rate limit."""
        return


class RateLimiter:
    """
    Makes one client's actions wait for the rate limit of its account.

    Args:
        rate_limit: The rate limit.
        store: Returns the storage of the current account's limiter state.
        clock: Returns seconds since 1970 by the clock that the account's other processes use too.
        on_wait: Called with the seconds and the reason when an action has to wait.
    """

    delays = True

    def __init__(
        self,
        rate_limit: RateLimit,
        store: Callable[[], LimiterStore],
        clock: Callable[[], float],
        on_wait: Callable[[float, WaitReason], object] | None = None,
    ) -> None:
        self._rate_limit = rate_limit
        self._store = store
        self._clock = clock
        self._on_wait = on_wait
        self._turns: defaultdict[Kind, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, kind: Kind, act: Callable[[], Awaitable[T]]) -> T:
        """
        Run an action once the rate limit allows it, and again after the platform answers 1205 (too often).

        Other actions of its kind in this client wait until it is done.

        Args:
            kind: Kind of the action.
            act: Runs it; calls `refused` before it raises `RateLimited`.

        Raises:
            RateLimitReached: The action would have to wait longer than the rate limit's `patience`.
            RateLimited: The platform refused the action, and the next attempt would have to wait longer than
                `patience`.
            StorageError: The journal cannot be written.
        """
        loop = asyncio.get_running_loop()
        patience = self._rate_limit.patience
        deadline = loop.time() + (math.inf if patience is None else patience)
        turn = self._turns[kind]
        try:
            async with asyncio.timeout_at(None if math.isinf(deadline) else deadline):
                await turn.acquire()
        except TimeoutError:
            raise _too_long((await self.state()).wait) from None
        try:
            refusal: RateLimited | None = None
            while True:
                state = await self._wait(kind, deadline, refusal)
                try:
                    result = await act()
                except RateLimited as refused:
                    refusal = refused
                    continue
                if state.refusals:
                    await self._update(lambda state, now: state.succeeded(now))
                return result
        finally:
            turn.release()

    async def refused(self) -> None:
        """Store that the platform answered any call with 1205 (too often)."""
        jitter = random.random()  # noqa: S311 - no secret
        state = await self._update(lambda state, now: state.refused(now, jitter))
        if state is not None:
            seconds = state.paused_until - self._clock()
            _log.info("The platform refused this account as too frequent; it pauses for %.0f s.", seconds)

    async def state(self) -> RateLimitState:
        """Return what the rate limit allows now."""
        return (await self._state()).report(self._rate_limit, self._clock())

    async def _wait(self, kind: Kind, deadline: float, refusal: RateLimited | None) -> LimiterState:
        """Wait for a reservation and return the state then; one within a pause is exchanged for a later one."""
        loop = asyncio.get_running_loop()
        at = 0.0
        while True:
            patience = max(0.0, deadline - loop.time())
            state, reservation = await self._reserve(kind, patience, instead_of=at)
            if reservation.wait > patience:
                raise _too_long(reservation.wait, refusal)
            if not reservation.wait:
                return state
            state = await self._sleep(kind, reservation)
            if not state.is_paused(self._clock()):
                return state
            at = reservation.at

    async def _sleep(self, kind: Kind, reservation: Reservation) -> LimiterState:
        """Sleep until the time of a reservation and return the state then; a cancelled wait releases it."""
        if self._on_wait is not None:
            self._on_wait(reservation.wait, reservation.reason)
        try:
            await asyncio.sleep(reservation.wait)  # the loop's clock is never set back
            return await self._state()
        except asyncio.CancelledError:
            await self._update(lambda state, _: state.released(self._rate_limit, kind, reservation.at))
            raise

    async def _reserve(self, kind: Kind, patience: float, instead_of: float) -> tuple[LimiterState, Reservation]:
        """Make the next reservation, unless its wait exceeds the patience."""
        jitter = random.random()  # noqa: S311 - no secret
        reservation: Reservation

        def take(stored: bytes) -> bytes:
            nonlocal reservation
            before = _decoded(stored)
            after, reservation = before.reserve(self._rate_limit, kind, self._clock(), jitter, instead_of)
            return _encoded(
                after if reservation.wait <= patience else before.released(self._rate_limit, kind, instead_of)
            )

        return _decoded(await self._store().change_state(_NAME, take)), reservation

    async def _state(self) -> LimiterState:
        return _decoded(await self._store().state(_NAME))

    async def _update(self, change: Callable[[LimiterState, float], LimiterState]) -> LimiterState | None:
        """Store a change; a failure to store it is logged, because the action has happened already."""
        try:
            stored = await self._store().change_state(
                _NAME, lambda stored: _encoded(change(_decoded(stored), self._clock()))
            )
        except StorageError as error:
            _log.warning("The limiter state of an account could not be stored: %s", error)
            return None
        return _decoded(stored)


def _decoded(stored: bytes) -> LimiterState:
    return _DECODER.decode(stored) if stored else LimiterState()


def _encoded(state: LimiterState) -> bytes:
    return msgspec.json.encode(state)


def _too_long(seconds: float, refusal: RateLimited | None = None) -> RateLimitReached | RateLimited:
    """Return the error of a call that would have to wait too long: the platform's last refusal, or our own."""
    wait = max(1, math.ceil(seconds))
    if refusal is None:
        return RateLimitReached(
            f"This account's rate limit is reached; nothing was sent, try again in {wait} s.", retry_after=float(wait)
        )
    error = RateLimited(
        f"{refusal.endpoint} was refused (ret {refusal.ret}): too often; nothing was sent, try again in {wait} s.",
        endpoint=refusal.endpoint, ret=refusal.ret, message=refusal.message,
    )  # fmt: skip
    error.retry_after = float(wait)
    return error
