"""The tool that logs the account in again: it shows a code, which the owner scans with the phone."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.media_tool import MediaContents
from webwx.gateway.adapters.mcp.short_texts import short_text
from webwx.gateway.adapters.mcp.tool_values import LoginStep
from webwx.model.login import QrCode

if TYPE_CHECKING:
    from webwx.gateway.accounts.logins import AccountLogins, LoginStatus
    from webwx.gateway.adapters.mcp.agent import Agent
    from webwx.gateway.adapters.mcp.tool_values import LoginQrInput

_LOGGED_IN = frozenset(("online", "degraded"))

_CODE_SECONDS = 300
"""Seconds for which the platform accepts a code."""

_MOST_LOGINS = 6
"""Maximum number of logins that an agent begins in an hour; each shows three codes at most."""

_HOUR = 3600.0


async def login_qr(agent: Agent, args: LoginQrInput) -> LoginStep | tuple[LoginStep, MediaContents]:
    """Begin a login and return its code, or wait for the next step of the login in progress."""
    if not agent.options.login:
        raise ToolRefused(
            "The owner has not allowed this; the option 'login' of the program, or 'webwx mcp --allow-login', does.",
            code="login", outcome="not_allowed",
        )  # fmt: skip
    logins = agent.account.logins
    if logins is None:
        raise ToolRefused("This server uses an account of a gateway; the owner logs in there.", code="login")
    is_in_progress = logins.is_active and logins.present is not None
    if not is_in_progress:
        if await agent.account.state() in _LOGGED_IN:
            return LoginStep(state="online", step=0)
        if args.after is None or logins.present is None:
            _count(agent)
            await agent.audited("login_qr", None, _begun(logins))
    await _wait(logins, args.after, args.timeout_s)
    assert logins.present is not None  # noqa: S101 - one was begun
    return _shown(agent, logins.present)


def _count(agent: Agent) -> None:
    """
    Count a login that begins.

    Raises:
        ToolRefused: There were too many in the last hour.
    """
    now = agent.clock()
    agent.logins_begun[:] = [each for each in agent.logins_begun if now - _HOUR < each <= now]
    if len(agent.logins_begun) >= _MOST_LOGINS:
        raise ToolRefused(
            f"An agent begins {_MOST_LOGINS} logins in an hour; no login was begun.", code="too-many-logins",
            outcome="too_many", retry_after=agent.logins_begun[0] + _HOUR - now,
        )  # fmt: skip
    agent.logins_begun.append(now)


async def _begun(logins: AccountLogins) -> None:
    await logins.begin("qr")


async def _wait(logins: AccountLogins, after: int | None, seconds: float) -> None:
    """Return once the login is past a step, or shows its first one, or after some seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for status in logins.watch():
                if status.state != "waiting" and (after is None or status.number > after):
                    return


def _shown(agent: Agent, status: LoginStatus) -> LoginStep | tuple[LoginStep, MediaContents]:
    state = "online" if status.state == "confirmed" else status.state
    if status.code is None:
        return LoginStep(state=state, step=status.number, error=short_text(status.error or ""))
    code, seen = agent.code_seen
    if code != status.code:
        code, seen = agent.code_seen = status.code, agent.clock()
    left = max(0, round(seen + _CODE_SECONDS - agent.clock()))
    step = LoginStep(state=state, step=status.number, link=code, seconds_left=left)
    picture = QrCode(url=code).png()
    return step, MediaContents(picture, "image/png", "wx://login", "code.png", len(picture))
