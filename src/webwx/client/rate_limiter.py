"""
The governor: makes an account's actions wait until its pace allows them.

What waits of one kind in one client goes in the order in which it came, one after the other: a place is asked for when
the one before is through. So each process holds one place at most, none waits behind the whole queue of another, and
what the platform has refused as too often goes again before whatever came after it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from webwx.client.rate_limit import Standing
from webwx.errors import RateLimited, RateLimitReached, StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.client.rate_limit import Kind, Pace, Pacing, Place, Why

_log = logging.getLogger("webwx.client")

T = TypeVar("T")

_NAME = "pace"
"""What the journal keeps a standing as."""


class States(Protocol):
    """Where an account's standing is kept: its part of a journal, or the memory of one client."""

    async def state(self, name: str) -> bytes:
        """Give what was kept under a name; empty when nothing was."""
        ...

    async def change_state(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        """Keep what a function makes of what was kept; nothing comes between the two."""
        ...


class StatesInMemory:
    """Keeps standings for one client."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}

    async def state(self, name: str) -> bytes:
        """Give what was kept under a name; empty when nothing was."""
        return self._states.get(name, b"")

    async def change_state(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        """Keep what a function makes of what was kept; nothing comes between the two."""
        self._states[name] = change(self._states.get(name, b""))
        return self._states[name]


class Limiter(Protocol):
    """Delays the actions of one account."""

    def run(self, kind: Kind, act: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """Run an action once it may leave."""
        ...

    async def refused(self) -> None:
        """Note that the platform has refused something as too often."""
        ...

    async def pacing(self) -> Pacing | None:
        """Return how the account stands; None: nothing is limited."""
        ...


class NoRateLimit:
    """Lets every action leave at once, and raises what the platform refuses."""

    def run(self, kind: Kind, act: Callable[[], Awaitable[T]]) -> Awaitable[T]:  # noqa: ARG002 - every kind leaves
        """Run an action."""
        return act()

    async def refused(self) -> None:
        """Do nothing: nothing is delayed later."""

    async def pacing(self) -> None:
        """Return None: nothing is limited."""
        return


class RateLimiter:
    """
    Holds one client's actions to the pace of its account.

    Args:
        pace: How fast that is.
        states: Gives where the present account's standing is kept.
        clock: Seconds since 1970; of the whole machine, for other processes look at the same standing.
        on_wait: Told the seconds and the reason when something has to wait.
    """

    def __init__(
        self,
        pace: Pace,
        states: Callable[[], States],
        clock: Callable[[], float],
        on_wait: Callable[[float, Why], object] | None = None,
    ) -> None:
        self._pace = pace
        self._states = states
        self._clock = clock
        self._on_wait = on_wait
        self._turns: defaultdict[Kind, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, kind: Kind, act: Callable[[], Awaitable[T]]) -> T:
        """
        Do something once the pace allows it, and again when the platform says that it came too soon.

        Whatever else of its kind waits in this client waits until it is done with.

        Args:
            kind: Of what kind it is.
            act: Does it, and reports a refusal by `refused` before it raises it.

        Raises:
            RateLimitReached: It would have to wait longer than the pace is patient.
            RateLimited: So would the next attempt after a refusal by the platform.
            StorageError: The journal cannot be written.
        """
        loop = asyncio.get_running_loop()
        patience = self._pace.patience
        deadline = loop.time() + (math.inf if patience is None else patience)
        turn = self._turns[kind]
        try:
            async with asyncio.timeout_at(None if math.isinf(deadline) else deadline):
                await turn.acquire()
        except TimeoutError:
            raise _too_long((await self.pacing()).wait) from None
        try:
            refusal: RateLimited | None = None
            while True:
                standing = await self._wait(kind, deadline, refusal)
                try:
                    result = await act()
                except RateLimited as refused:
                    refusal = refused
                    continue
                if standing.refusals:
                    await self._note(lambda standing, now: standing.succeeded(now))
                return result
        finally:
            turn.release()

    async def refused(self) -> None:
        """Take note that the platform has said "too often", whatever it was said to."""
        dice = random.random()  # noqa: S311 - no secret
        standing = await self._note(lambda standing, now: standing.refused(now, dice))
        if standing is not None:
            seconds = standing.paused_until - self._clock()
            _log.info("The platform says that this account does too much; it pauses for %.0f s.", seconds)

    async def pacing(self) -> Pacing:
        """Say how the account stands."""
        return (await self._standing()).pacing(self._pace, self._clock())

    async def _wait(self, kind: Kind, deadline: float, refusal: RateLimited | None) -> Standing:
        """Wait for a place and give the standing that it was had by; one in a pause is exchanged for a later one."""
        loop = asyncio.get_running_loop()
        moment = 0.0
        while True:
            patience = max(0.0, deadline - loop.time())
            standing, place = await self._take(kind, patience, instead_of=moment)
            if place.wait > patience:
                raise _too_long(place.wait, refusal)
            if not place.wait:
                return standing
            standing = await self._sleep(kind, place)
            if not standing.is_paused(self._clock()):
                return standing
            moment = place.moment

    async def _sleep(self, kind: Kind, place: Place) -> Standing:
        """Sleep until a place's moment, and give the standing of then; whoever is cancelled gives his place back."""
        if self._on_wait is not None:
            self._on_wait(place.wait, place.why)
        try:
            await asyncio.sleep(place.wait)  # by the loop's clock, which nobody sets
            return await self._standing()
        except asyncio.CancelledError:
            await self._note(lambda standing, _: standing.given_back(self._pace, kind, place.moment))
            raise

    async def _take(self, kind: Kind, patience: float, instead_of: float) -> tuple[Standing, Place]:
        """Take the next place, unless it is further away than whoever asks is patient."""
        dice = random.random()  # noqa: S311 - no secret
        place: Place

        def take(kept: bytes) -> bytes:
            nonlocal place
            before = _read(kept)
            after, place = before.place(self._pace, kind, self._clock(), dice, instead_of)
            return _written(after if place.wait <= patience else before.given_back(self._pace, kind, instead_of))

        return _read(await self._states().change_state(_NAME, take)), place

    async def _standing(self) -> Standing:
        return _read(await self._states().state(_NAME))

    async def _note(self, change: Callable[[Standing, float], Standing]) -> Standing | None:
        """Note what has happened; when that cannot be noted it has, all the same."""
        try:
            kept = await self._states().change_state(_NAME, lambda kept: _written(change(_read(kept), self._clock())))
        except StorageError as error:
            _log.warning("How an account stands with its pace could not be stored: %s", error)
            return None
        return _read(kept)


def _read(kept: bytes) -> Standing:
    return msgspec.json.decode(kept, type=Standing) if kept else Standing()


def _written(standing: Standing) -> bytes:
    return msgspec.json.encode(standing)


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
