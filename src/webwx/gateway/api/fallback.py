"""The fallback, which reports the end of a login to the owner: its channels, and a test of them."""

from __future__ import annotations

from litestar import Router
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from webwx.gateway.api.serve_route import serve
from webwx.gateway.receivers.fallback import Fallback
from webwx.representations.fallback import (
    SHOW_FALLBACK,
    TEST_FALLBACK,
    FallbackView,
    TestedFallback,
)

InjectedFallback = NamedDependency[SkipValidation[Fallback]]


@serve(SHOW_FALLBACK)
async def show_fallback(fallback: InjectedFallback) -> FallbackView:
    """Return the channels that report the end of a login."""
    return FallbackView(channels=fallback.channels)


@serve(TEST_FALLBACK)
async def test_fallback(fallback: InjectedFallback) -> TestedFallback:
    """Send a test text on every channel, once, and wait for the outcomes."""
    return TestedFallback(results=await fallback.send_test())


fallback_router = Router("/", route_handlers=[show_fallback, test_fallback], tags=["receivers"])
