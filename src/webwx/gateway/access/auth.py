"""
Authentication and authorization of requests.

A handler names the scope that it needs, `scope="read"`, or is public, `is_public=True`; a handler that has neither
refuses all requests, so a forgotten scope gives no access. A handler with `is_signable=True` also accepts addresses
that the console has signed. The caller has to reach the account in the path; for any other account the answer is the
same as for an account that does not exist.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec
from litestar.params import CookieParameter, HeaderParameter

from webwx.gateway.access.keys import IMPLIED, digest_of
from webwx.gateway.access.sessions import HEADER, SIGNATURE, session_id
from webwx.gateway.http.front import client_address
from webwx.gateway.http.unauthenticated import admit
from webwx.gateway.problems import GatewayProblem
from webwx.representations.route import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from webwx.gateway.access.keys import ApiKey, KeyRing
    from webwx.gateway.access.sessions import ConsoleSessions
    from webwx.gateway.accounts.account import GatewayAccounts

    Connection = ASGIConnection[Any, Any, Any, Any]

CONSOLE = "console"
"""Id of the caller that has a session of the console."""

FREE_FAILURES = 5
"""Number of consecutive wrong keys of an address before it has to wait."""

_LONGEST_PAUSE = 300.0
"""Maximum number of seconds for which an address has to wait."""

REMEMBERED = 10_000
"""Number of addresses with wrong keys that are remembered."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods of requests that change nothing."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The caller of a request."""

    id: str
    """Id of the key, or `console`."""
    scopes: tuple[Scope, ...]
    accounts: tuple[int, ...] | None
    """Numbers of the accounts that the caller reaches; None: all."""
    address: str
    """IP address."""
    proof: str = ""
    """Digest of the secret or session by which the caller was identified."""

    def __repr__(self) -> str:
        return f"Caller({self.id})"

    def allows(self, scope: Scope) -> bool:
        """Return whether the caller has a scope."""
        return any(own == scope or scope in IMPLIED.get(own, ()) for own in self.scopes)

    def reaches(self, account: int) -> bool:
        """Return whether the caller may use an account."""
        return self.accounts is None or account in self.accounts


class FailedKeys:
    """
    Counts wrong keys and codes by address.

    After several wrong keys in a row, each further one doubles the time that the address has to wait.
    A valid key is accepted meanwhile, because several programs may share an address.

    Args:
        clock: Returns seconds; only differences matter.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[int, float]] = {}
        """Number of wrong keys and the end of the pause, by address; the least recent first."""

    def add(self, address: str) -> None:
        """
        Count a wrong key or code.

        Raises:
            GatewayProblem: The address has to wait.
        """
        now = self._clock()
        count, until = self._failures.pop(address, (0, 0.0))
        is_paused = now < until
        if not is_paused:
            count += 1
            pause = min(2.0 ** (count - FREE_FAILURES), _LONGEST_PAUSE) if count > FREE_FAILURES else 0.0
            until = now + pause
        self._failures[address] = (count, until)
        if len(self._failures) > REMEMBERED:
            del self._failures[next(iter(self._failures))]
        if until > now:
            raise GatewayProblem(
                "too-many-requests", "Too many wrong keys came from this address.", retry_after=until - now
            )

    def forget(self, address: str) -> None:
        """Forget the wrong keys of an address, after a valid one."""
        self._failures.pop(address, None)


class RequestRate:
    """
    Token buckets that limit the requests of each key.

    Args:
        clock: Returns seconds; only differences matter.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """Free requests and the time at which they were counted, by key."""

    def take(self, key_id: str, per_minute: int) -> None:
        """
        Count a request.

        Args:
            key_id: Id of the key.
            per_minute: Requests that are allowed in a minute, also all at once; 0: no limit.

        Raises:
            GatewayProblem: The key has no free request.
        """
        if per_minute <= 0:
            return
        now = self._clock()
        free, counted_at = self._buckets.get(key_id, (float(per_minute), now))
        free = min(float(per_minute), free + (now - counted_at) * per_minute / 60)
        if free < 1:
            raise GatewayProblem(
                "too-many-requests", f"This key may make {per_minute} requests in a minute.",
                retry_after=(1 - free) * 60 / per_minute,
            )  # fmt: skip
        self._buckets[key_id] = (free - 1, now)


class Access:
    """
    Checks each request for a handler before the handler runs.

    Args:
        keys: The keys.
        sessions: The sessions of the console.
        port: Finds the account in a path.
        requests_per_minute: Returns the limit of a key without a limit of its own.
        failed: Slows down wrong keys.
        clock: Returns seconds; only differences matter.
    """

    def __init__(
        self,
        keys: KeyRing,
        sessions: ConsoleSessions,
        port: GatewayAccounts,
        requests_per_minute: Callable[[], int],
        failed: FailedKeys,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._port = port
        self._requests_per_minute = requests_per_minute
        self._failed = failed
        self._rate = RequestRate(clock)
        self._query_names: dict[Callable[..., object], frozenset[str] | None] = {}
        """The query parameters by the function of a handler: the framework may pass a new copy of the handler."""

    async def check(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """
        Check a request before its handler runs, and store its caller as the connection's user.

        Raises:
            GatewayProblem: The request is refused.
        """
        if not handler.opt.get("is_public"):
            scope = handler.opt.get("scope")
            caller = await self._signer(connection, scope) if scope and handler.opt.get("is_signable") else None
            caller = caller or await self.identify(connection)
            connection.scope["user"] = caller
            admit(connection.scope)
            if scope is None or not caller.allows(scope):
                raise GatewayProblem(
                    "forbidden", f"This request needs a key with the scope {scope!r}." if scope else ""
                )
            self._check_account(connection, caller)
        self._check_query(connection, handler)

    async def identify(self, connection: Connection) -> Caller:
        """
        Return the caller of a request.

        Raises:
            GatewayProblem: There is no key, a wrong one, or too many wrong ones came from this address.
        """
        address = client_address(connection.scope)
        header = connection.headers.get("authorization", "")
        scheme, _, text = header.partition(" ")
        if header and scheme.lower() == "bearer":
            key = await self._keys.verify(text.strip(), address)
            if key is not None:
                self._failed.forget(address)
                own = key.requests_per_minute
                self._rate.take(key.id, self._requests_per_minute() if own is None else own)
                return _caller_with(key, text.strip(), address)
            self._failed.add(address)
            raise GatewayProblem("unauthorized", "This is not a valid key; 'webwx serve key create' makes one.")
        secret = connection.headers.get(HEADER)
        if secret and not header:
            if await self._sessions.is_valid(secret):
                return _console(session_id(secret), address)
            self._failed.add(address)
            raise GatewayProblem("unauthorized", "This session has ended; 'webwx serve pair' prints a new link.")
        raise GatewayProblem("unauthorized", "Send the key as 'Authorization: Bearer wxk_…'.")

    async def _signer(self, connection: Connection, scope: Scope) -> Caller | None:
        """Return the caller of a signed address, with one scope; None without a signature, or if it is not valid."""
        signature = connection.query_params.get(SIGNATURE, "")
        name = await self._sessions.signer(signature, connection.scope["path"]) if signature else None
        if name is None:
            return None
        return msgspec.structs.replace(_console(name, client_address(connection.scope)), scopes=(scope,))

    async def recognize(self, connection: Connection) -> Caller | None:
        """
        Return the caller of a request without counting it; None if there is no valid key or session.

        The request is checked again by the handler or the node that answers it.
        """
        address = client_address(connection.scope)
        scheme, _, text = connection.headers.get("authorization", "").partition(" ")
        if scheme:
            key = await self._keys.verify(text.strip(), address) if scheme.lower() == "bearer" else None
            return None if key is None else _caller_with(key, text.strip(), address)
        secret, signature = connection.headers.get(HEADER, ""), connection.query_params.get(SIGNATURE, "")
        if secret:
            return _console(session_id(secret), address) if await self._sessions.is_valid(secret) else None
        name = await self._sessions.signer(signature, connection.scope["path"]) if signature else None
        return None if name is None else _console(name, address)

    async def is_current(self, caller: Caller) -> bool:
        """Return whether a caller still has the key or session, and the rights, with which it was identified."""
        if caller.id == CONSOLE:
            return await self._sessions.is_live(caller.proof)
        key = await self._keys.verify_again(caller.id, caller.proof, caller.address)
        return key is not None and (key.scopes, key.accounts) == (caller.scopes, caller.accounts)

    def _check_account(self, connection: Connection, caller: Caller) -> None:
        which = connection.path_params.get("account")
        if which is None:
            return
        number = self._port.find_account(str(which))
        if number is None or not caller.reaches(number):
            raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.")

    def _check_query(self, connection: Connection, handler: BaseRouteHandler) -> None:
        if not connection.scope["query_string"]:
            return
        if handler.fn not in self._query_names:
            self._query_names[handler.fn] = query_names(handler)
        known = self._query_names[handler.fn]
        if known is not None:
            _require_utf_8(connection.scope["query_string"])
        unknown = set() if known is None else set(connection.query_params) - known
        if handler.opt.get("is_signable"):
            unknown.discard(SIGNATURE)
        if unknown:
            name = sorted(unknown)[0]
            what = (
                f"the unknown parameter {name!r}" if name.isascii() and name.isidentifier() else "an unknown parameter"
            )
            raise GatewayProblem("bad-request", f"The query has {what}.")


def _require_utf_8(query: bytes) -> None:
    """
    Check that a query is UTF-8.

    Raises:
        GatewayProblem: It is not.
    """
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        raise GatewayProblem("bad-request", "The query is not UTF-8.") from None


def _caller_with(key: ApiKey, text: str, address: str) -> Caller:
    return Caller(id=key.id, scopes=key.scopes, accounts=key.accounts, address=address, proof=digest_of(text))


def _console(session: str, address: str) -> Caller:
    return Caller(id=CONSOLE, scopes=("admin",), accounts=None, address=address, proof=session)


_NOT_IN_QUERY = frozenset({"body", "cookies", "data", "headers", "query", "request", "scope", "socket", "state"})
"""Parameters that the framework does not fill from the query."""


def query_names(handler: BaseRouteHandler) -> frozenset[str] | None:
    """Return the names of the query parameters of a handler; None if it reads the query itself."""
    if handler.opt.get("reads_query"):
        return None
    paths = " ".join(handler.paths)
    names = set()
    for name, field in handler.parsed_fn_signature.parameters.items():
        definition = field.kwarg_definition
        if name in _NOT_IN_QUERY or name in handler.resolve_dependencies() or f"{{{name}:" in paths:
            continue
        if isinstance(definition, HeaderParameter | CookieParameter):
            continue
        names.add(getattr(definition, "name", None) or name)
    return frozenset(names)
