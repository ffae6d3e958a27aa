"""
Login codes and sessions.

A code is new, scanned, confirmed (or cancelled) and exchanged, in this order, and expires after five minutes.
"""

from __future__ import annotations

import enum
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, cast

from webwx.protocol.codes import Ret
from webwx.sandbox.errors import Impossible, Refused
from webwx.sandbox.sessions import SessionKeys, SessionNames, WebSession
from webwx.sandbox.stream import ChangeStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from webwx.protocol.hosts import Hosts
    from webwx.sandbox.clock import WorldClock
    from webwx.sandbox.people import WorldPerson

CODE_LIFETIME = 300
"""Seconds until a code expires."""


class LoginStage(enum.Enum):
    """State of a code."""

    NEW = "new"
    SCANNED = "scanned"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    EXCHANGED = "exchanged"


@dataclass(eq=False, kw_only=True, repr=False)
class LoginCode:
    """A login code."""

    uuid: str
    made: float
    host: str = ""
    """The API host that the login is for."""
    stage: LoginStage = LoginStage.NEW
    person: WorldPerson | None = None
    """Who scanned it."""
    is_scan_reported: bool = False
    """Whether a poll has answered 201."""
    ticket: str = ""
    """Ticket for the exchange, once the code is confirmed."""
    confirmed: float = 0.0
    """Time of the confirmation."""
    is_pushed: bool = False
    """Whether there is no QR code, because the phone of an earlier login was asked to confirm."""
    is_redirected: bool = False
    """Whether the exchange has redirected to another host."""

    @property
    def ends(self) -> float:
        """Time at which it expires."""
        return self.made + CODE_LIFETIME


class LoginRegistry:
    """All codes and sessions of a world."""

    def __init__(self, clock: WorldClock, rng: Random, issued: set[str]) -> None:
        self._clock = clock
        self._rng = rng
        self._issued = issued
        self._codes: dict[str, LoginCode] = {}
        self._sessions: dict[str, WebSession] = {}
        self._latest: dict[str, WebSession] = {}
        """Latest session of each person, by world id; only that one can be active."""
        self._confirmed: dict[str, LoginCode] = {}
        """Latest confirmed code of each person, by world id."""

    def issue(self, secret: str) -> str:
        """Register a secret and return it."""
        self._issued.add(secret)
        return secret

    # -- codes -------------------------------------------------------------------------------------------------------

    def new_code(self, host: str = "") -> LoginCode:
        """Create a code."""
        uuid = self.issue(urlsafe_b64encode(self._rng.randbytes(7)).decode())
        code = LoginCode(uuid=uuid, made=self._clock.now(), host=host)
        self._codes[uuid] = code
        return code

    def push(self, uin: int, uvid: str, auth_ticket: str, host: str = "") -> LoginCode | None:
        """Ask a phone to confirm without a code; return None if no earlier login of the account had these cookies."""
        for session in self._sessions.values():
            if (session.person.uin, session.keys.uvid, session.keys.auth_ticket) == (uin, uvid, auth_ticket):
                code = self.new_code(host)
                code.stage, code.person, code.is_pushed = LoginStage.SCANNED, session.person, True
                return code
        return None

    def code(self, uuid: str) -> LoginCode | None:
        """Return a code that can still lead to a login; None for an unknown, expired or used one."""
        code = self._codes.get(uuid)
        return code if code and self._is_live(code) else None

    def waiting(self) -> list[LoginCode]:
        """List the codes that can still lead to a login, newest first."""
        return [code for code in reversed(self._codes.values()) if self._is_live(code)]

    def scan(self, person: WorldPerson, uuid: str) -> LoginCode:
        """
        Scan a code, by default the newest one, with a phone.

        Raises:
            Impossible: There is no such code, or it was already scanned.
        """
        code = self._at_stage(
            LoginStage.NEW, uuid, "There is no login code waiting to be scanned; start a login first."
        )
        code.stage, code.person = LoginStage.SCANNED, person
        return code

    def confirm(self, uuid: str) -> LoginCode:
        """
        Confirm the login on the phone that scanned the code.

        Raises:
            Impossible: No code has been scanned.
        """
        code = self._at_stage(
            LoginStage.SCANNED, uuid, "No scanned login is waiting to be confirmed; scan its code first."
        )
        code.stage, code.confirmed = LoginStage.CONFIRMED, self._clock.now()
        self._confirmed[_scanner(code).id] = code
        code.ticket = self.issue(f"{urlsafe_b64encode(self._rng.randbytes(18)).decode()}@qrticket_0")
        return code

    def cancel(self, uuid: str) -> LoginCode:
        """
        Cancel the login on the phone that scanned the code.

        Raises:
            Impossible: No code has been scanned.
        """
        code = self._at_stage(
            LoginStage.SCANNED, uuid, "No scanned login is waiting to be cancelled; scan its code first."
        )
        code.stage = LoginStage.CANCELLED
        return code

    def expire(self, uuid: str) -> LoginCode:
        """
        Expire a code.

        Raises:
            Impossible: There is no such code.
        """
        code = next(self._newest(uuid), None)
        if code is None:
            raise self._no_code(uuid, "There is no login code; start a login first.")
        code.made = self._clock.now() - CODE_LIFETIME - 1
        return code

    def _at_stage(self, stage: LoginStage, uuid: str, otherwise: str) -> LoginCode:
        for code in self._newest(uuid):
            if code.stage is stage:
                return code
        raise self._no_code(uuid, otherwise)

    def _no_code(self, uuid: str, otherwise: str) -> Impossible:
        is_unknown = uuid and uuid not in self._codes
        message = f"No login code has the UUID {uuid!r}; without one, the newest code is taken."
        return Impossible(message if is_unknown else otherwise, "no-code")

    def _newest(self, uuid: str) -> Iterator[LoginCode]:
        """Return the valid codes, newest first, or the one with that uuid."""
        codes = filter(None, [self._codes.get(uuid)]) if uuid else reversed(self._codes.values())
        return (code for code in codes if self._is_live(code))

    def _is_live(self, code: LoginCode) -> bool:
        return code.stage is not LoginStage.EXCHANGED and self._clock.now() <= code.ends

    # -- sessions ----------------------------------------------------------------------------------------------------

    def confirmed(self, uuid: str, ticket: str) -> LoginCode:
        """
        Return the confirmed code of a ticket.

        Raises:
            Refused: The ticket is not this code's, or has been used.
        """
        code = self.code(uuid)
        if code is None or code.stage is not LoginStage.CONFIRMED or code.ticket != ticket:
            raise Refused(Ret.PARAMETER_ERROR, "登录二维码已失效，请重新扫描。")
        return code

    def redeem(self, code: LoginCode) -> WorldPerson:
        """Mark a confirmed code as used, and return its person."""
        code.stage = LoginStage.EXCHANGED
        return _scanner(code)

    def open(
        self,
        person: WorldPerson,
        *,
        family: Hosts | None = None,
        is_helper: bool = False,
        lifetime: float = inf,
        renews_skey: bool = False,
    ) -> WebSession:
        """Open a session. Another active session of the account ends at once, this one after its lifetime."""
        earlier = self.live(person)
        if earlier:
            earlier.ended = Ret.SESSION_INVALID
        now = self._clock.now()
        session = WebSession(
            person=person,
            keys=SessionKeys.generate(self._rng, self.issue, is_renewed=renews_skey),
            names=SessionNames(self._rng),
            started=now,
            stream=ChangeStream(int(now)),
            family=family,
            is_helper=is_helper,
            expires=now + lifetime,
        )
        self.take(session)
        return session

    @property
    def sessions(self) -> tuple[WebSession, ...]:
        """All sessions, active or ended, in the order in which they were opened."""
        return tuple(self._sessions.values())

    def take(self, session: WebSession) -> None:
        """Restore a session with its keys, as the person's latest one."""
        self._sessions[session.keys.sid] = self._latest[session.person.id] = session

    def new_media_id(self) -> str:
        """Return a new id for an upload."""
        return f"@crypt_{self._rng.getrandbits(32):x}_{self._rng.randbytes(80).hex()}"

    def session(self, sid: str) -> WebSession | None:
        """Return a session, active or ended, by its sid."""
        session = self._sessions.get(sid)
        return session and self._expire_if_due(session)

    def open_sessions(self) -> list[WebSession]:
        """List the active sessions, oldest first."""
        return [session for session in self._sessions.values() if self._expire_if_due(session).ended is None]

    def live(self, person: WorldPerson) -> WebSession | None:
        """Return a person's active session."""
        session = self._latest.get(person.id)
        return session if session and self._expire_if_due(session).ended is None else None

    def online(self) -> list[WorldPerson]:
        """List the people who have an active session."""
        return [session.person for session in self._latest.values() if session.ended is None]

    def _expire_if_due(self, session: WebSession) -> WebSession:
        """End a session whose lifetime is over."""
        if session.ended is None and self._clock.now() >= session.expires:
            session.ended = Ret.SESSION_NOT_FOUND
        return session

    def is_busy(self, person: WorldPerson) -> bool:
        """Return whether a person has a web login, or has just confirmed one."""
        code = self._confirmed.get(person.id)
        is_awaited = code is not None and code.stage is LoginStage.CONFIRMED and self._is_live(code)
        return is_awaited or self.live(person) is not None


def _scanner(code: LoginCode) -> WorldPerson:
    return cast("WorldPerson", code.person)  # a code that was not scanned cannot be confirmed
