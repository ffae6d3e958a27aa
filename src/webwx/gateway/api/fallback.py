"""The fallback, which reports the end of a login to the owner: its channels, and a test of them."""

from __future__ import annotations

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from webwx.gateway.api.documented import problems
from webwx.gateway.fallback import ChannelName, Fallback

InjectedFallback = NamedDependency[SkipValidation[Fallback]]


class FallbackView(msgspec.Struct, frozen=True, kw_only=True):
    """The channels that report the end of a login to the owner."""

    channels: list[ChannelName]
    """Names of the channels; empty: nothing is reported."""


class TestedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of the test of a channel."""

    channel: ChannelName
    error: str
    """Why the test has failed; empty if it has succeeded."""


class TestedFallback(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes of the tests of all channels."""

    results: list[TestedChannel]


@get("/fallback", scope="admin", summary="Show the fallback", responses=problems())
async def show_fallback(fallback: InjectedFallback) -> FallbackView:
    """Return the channels that report the end of a login."""
    return FallbackView(channels=fallback.channels)


@post("/fallback/test", scope="admin", status_code=200, summary="Test the fallback", responses=problems(503))
async def test_fallback(fallback: InjectedFallback) -> TestedFallback:
    """Send a test text on every channel, once, and wait for the outcomes."""
    results = await fallback.send_test()
    return TestedFallback(results=[TestedChannel(channel=name, error=error) for name, error in results.items()])


fallback_router = Router("/", route_handlers=[show_fallback, test_fallback], tags=["receivers"])
