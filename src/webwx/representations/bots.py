"""Bots that run inside the gateway, as the API shows them."""

from __future__ import annotations

from typing import Literal

import msgspec

from webwx.representations.route import ApiRoute, NoQuery

RunState = Literal["waiting", "running", "failed", "ended"]
"""
`waiting`: the account is not logged in. `failed`: the bot is started again after an error. `ended`: it is not started
again, because its login has ended and it has `relogin=False`, or because of an internal error.
"""


class BotView(msgspec.Struct, frozen=True, kw_only=True):
    """A bot on one account."""

    name: str
    account: int
    """Number of the account."""
    state: RunState
    """
    `waiting`: the account is not logged in. `failed`: the bot is started again. `ended`: the bot is not started again.
    """
    error: str | None
    """Why the bot has failed or ended."""
    error_code: str = ""
    """Code of the error, listed at `/docs/errors`; empty without an error."""
    handled: int
    """Number of events that were handled since the start."""
    failed_attempts: int
    dead_letters: int
    in_flight: int
    """Number of events in memory: those that are being handled, and those that wait."""
    paths: list[str]
    """Paths of its HTTP handlers below `/bots/<name>`."""


class BotList(msgspec.Struct, frozen=True, kw_only=True):
    """The bots of the accounts that the key reaches."""

    bots: list[BotView]


LIST_BOTS: ApiRoute[NoQuery, None, BotList] = ApiRoute(
    method="GET", path="/bots", scope="read", summary="List bots", reply=BotList,
)  # fmt: skip
