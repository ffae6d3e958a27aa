"""The fallback, which reports the end of a login to the owner, as the API shows it."""

from __future__ import annotations

from typing import Literal

import msgspec

from webwx.representations.route import ApiRoute, NoQuery

ChannelName = Literal["command", "webhook", "mail"]


class FallbackView(msgspec.Struct, frozen=True, kw_only=True):
    """The channels that report the end of a login to the owner."""

    channels: list[ChannelName]
    """Names of the channels; empty: nothing is reported."""


class TestedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of the test of a channel."""

    channel: ChannelName
    error: str
    """Why the test has failed; empty if it has succeeded."""
    error_code: str = ""
    """Code of the error, listed at `/docs/errors`; empty if the test has succeeded."""


class TestedFallback(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes of the tests of all channels."""

    results: list[TestedChannel]


SHOW_FALLBACK: ApiRoute[NoQuery, None, FallbackView] = ApiRoute(
    method="GET", path="/fallback", scope="admin", summary="Show the fallback", reply=FallbackView,
)  # fmt: skip

TEST_FALLBACK: ApiRoute[NoQuery, None, TestedFallback] = ApiRoute(
    method="POST", path="/fallback/test", scope="admin", summary="Test the fallback", reply=TestedFallback,
    problems=(503,),
)  # fmt: skip
