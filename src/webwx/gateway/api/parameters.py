"""Parameters that several handlers have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

from litestar.di import NamedDependency
from litestar.params import HeaderParameter, PathParameter, QueryParameter, SkipValidation

from webwx.client.client import AsyncClient
from webwx.gateway.access.auth import Caller
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.bots.bots import HostedBots
from webwx.gateway.config import GatewayConfig
from webwx.gateway.http.open_streams import OpenStream
from webwx.representations.route import LARGEST

InjectedPort: TypeAlias = NamedDependency[SkipValidation[GatewayAccounts]]
"""The accounts."""

StoredClient: TypeAlias = NamedDependency[SkipValidation[AsyncClient]]
"""Reads the journal of the account in the path, whichever process runs the account; it has no login."""

OwnedClient: TypeAlias = NamedDependency[SkipValidation[AsyncClient]]
"""
Acts for the account in the path. The request is refused where the account does not run, after it was found valid.
"""

OwnedFinder: TypeAlias = NamedDependency[SkipValidation[Callable[[], Awaitable[AsyncClient]]]]
"""Returns the client for `OwnedClient`, or refuses."""

InjectedBots: TypeAlias = NamedDependency[SkipValidation[HostedBots]]
"""The bots that run inside the gateway."""

InjectedCaller: TypeAlias = NamedDependency[SkipValidation[Caller]]
"""The caller of the request."""

InjectedConfig: TypeAlias = NamedDependency[SkipValidation[GatewayConfig]]
"""The configuration, with the limits that SIGHUP has reread."""

InjectedStream: TypeAlias = NamedDependency[SkipValidation[OpenStream]]
"""The request as a stream or a long poll; it ends when the server stops or the key becomes invalid."""

AccountNumber: TypeAlias = NamedDependency[SkipValidation[int]]
"""Number of the account in the path, which the caller reaches."""

IdempotencyKey: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key", min_length=1, max_length=255,
        description="A second request with the same key is the same send, and nothing is sent twice.",
    ),
]  # fmt: skip

Prefer: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Prefer",
        description="`respond-async` answers 202 once the send is stored; `wait=N` waits N seconds for its outcome.",
    ),
]

EventNumber: TypeAlias = Annotated[int, PathParameter(ge=0, le=LARGEST)]
"""Number of an event in the path."""

Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=1000, description="Maximum number of results")]
