"""
From a QR code to a session, and the sessions there are.

A code is new, scanned, confirmed (or cancelled) and exchanged, in this order, and dies after five minutes.
"""

from __future__ import annotations

import enum
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from webwx.protocol.codes import Ret
from webwx.sandbox.refusals import Impossible, Refused
from webwx.sandbox.sessions import Keys, Names, Session, base64_text
from webwx.sandbox.stream import Stream

if TYPE_CHECKING:
    from random import Random

    from webwx.protocol.hosts import Hosts
    from webwx.sandbox.clock import Clock
    from webwx.sandbox.people import Person

CODE_LIFETIME = 300
"""Seconds until a code expires."""


class Stage(enum.Enum):
    """How far a code has come."""

    NEW = "new"
    SCANNED = "scanned"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    EXCHANGED = "exchanged"


@dataclass(eq=False, kw_only=True, repr=False)
class LoginCode:
    """A QR code on somebody's screen."""

    uuid: str
    made: float
    host: str = ""
    """The API host that the login is for."""
    stage: Stage = Stage.NEW
    person: Person | None = None
    """Who scanned it."""
    is_scan_told: bool = False
    """A poll has answered 201."""
    ticket: str = ""
    """What the exchange asks for, once it is confirmed."""
    confirmed: float = 0.0
    """When."""
    is_pushed: bool = False
    """Nobody drew it: the phone of an earlier login was asked to confirm."""
    is_sent_on: bool = False
    """Its exchange has been sent on to another host."""


class Logins:
    """Every code and every session of a world."""

    def __init__(self, clock: Clock, dice: Random, issued: set[str]) -> None:
        self._clock = clock
        self._dice = dice
        self._issued = issued
        self._codes: dict[str, LoginCode] = {}
        self._sessions: dict[str, Session] = {}

    def issue(self, secret: str) -> str:
        """Note a secret as handed out."""
        self._issued.add(secret)
        return secret

    # -- codes -------------------------------------------------------------------------------------------------------

    def new_code(self, host: str = "") -> LoginCode:
        """Make a code that nobody has scanned."""
        uuid = self.issue(urlsafe_b64encode(self._dice.randbytes(8)).decode())
        code = LoginCode(uuid=uuid, made=self._clock.now(), host=host)
        self._codes[uuid] = code
        return code

    def push(self, uin: int, uvid: str, auth_ticket: str, host: str = "") -> LoginCode | None:
        """Ask a phone to confirm without a code; None when no earlier login of that account had these cookies."""
        for session in self._sessions.values():
            if (session.person.uin, session.keys.uvid, session.keys.auth_ticket) == (uin, uvid, auth_ticket):
                code = self.new_code(host)
                code.stage, code.person, code.is_pushed = Stage.SCANNED, session.person, True
                return code
        return None

    def code(self, uuid: str) -> LoginCode | None:
        """Give a code that can still lead to a login; None for an unknown, expired or used one."""
        code = self._codes.get(uuid)
        return code if code and self._is_live(code) else None

    def scan(self, person: Person, uuid: str | None) -> LoginCode:
        """
        Point a phone at a code, the newest one when none is named.

        Raises:
            Impossible: There is no such code, or somebody has scanned it.
        """
        code = self._at_stage(Stage.NEW, uuid, "There is no login code waiting to be scanned; start a login first.")
        code.stage, code.person = Stage.SCANNED, person
        return code

    def confirm(self, uuid: str | None) -> LoginCode:
        """
        Press the button on the phone that scanned.

        Raises:
            Impossible: No code has been scanned.
        """
        code = self._at_stage(Stage.SCANNED, uuid, "No scanned login is waiting to be confirmed; scan its code first.")
        code.stage, code.confirmed = Stage.CONFIRMED, self._clock.now()
        code.ticket = self.issue(f"A{self._dice.randbytes(16).hex()}@qrticket_0")
        return code

    def cancel(self, uuid: str | None) -> LoginCode:
        """
        Press the other button.

        Raises:
            Impossible: No code has been scanned.
        """
        code = self._at_stage(Stage.SCANNED, uuid, "No scanned login is waiting to be cancelled; scan its code first.")
        code.stage = Stage.CANCELLED
        return code

    def expire(self, uuid: str | None) -> LoginCode:
        """
        Let a code's time run out.

        Raises:
            Impossible: There is no such code.
        """
        live = [
            code for code in reversed(self._codes.values()) if uuid in {None, "", code.uuid} and self._is_live(code)
        ]
        if not live:
            raise Impossible("There is no login code that could expire; start a login first.")
        live[0].made = self._clock.now() - CODE_LIFETIME - 1
        return live[0]

    def _at_stage(self, stage: Stage, uuid: str | None, otherwise: str) -> LoginCode:
        fitting = [
            code
            for code in reversed(self._codes.values())
            if code.stage is stage and uuid in {None, "", code.uuid} and self._is_live(code)
        ]
        if not fitting:
            raise Impossible(otherwise)
        return fitting[0]

    def _is_live(self, code: LoginCode) -> bool:
        return code.stage is not Stage.EXCHANGED and self._clock.now() - code.made <= CODE_LIFETIME

    # -- sessions ----------------------------------------------------------------------------------------------------

    def confirmed(self, uuid: str, ticket: str) -> LoginCode:
        """
        Give the confirmed code that a ticket belongs to.

        Raises:
            Refused: The ticket is not this code's, or has been used.
        """
        code = self.code(uuid)
        if code is None or code.stage is not Stage.CONFIRMED or code.ticket != ticket:
            raise Refused(Ret.PARAMETER_ERROR, "登录二维码已失效，请重新扫描。")
        return code

    def redeem(self, code: LoginCode) -> Person:
        """Use up a confirmed code, and give whose it is."""
        code.stage = Stage.EXCHANGED
        return cast("Person", code.person)  # nobody confirms what nobody has scanned

    def open(self, person: Person, *, family: Hosts | None = None, is_helper: bool = False) -> Session:
        """Open a session. Another one of the same account ends at once."""
        earlier = self.live(person)
        if earlier:
            earlier.ended = Ret.SESSION_INVALID
        now = self._clock.now()
        session = Session(
            person=person,
            keys=Keys.roll(self._dice, self.issue),
            names=Names(self._dice),
            started=now,
            stream=Stream(int(now)),
            family=family,
            is_helper=is_helper,
        )
        self._sessions[session.keys.sid] = session
        return session

    def new_media_id(self) -> str:
        """Make the id of an upload."""
        return f"@crypt_{self._dice.getrandbits(32):x}_{base64_text(self._dice, 24)}"

    def session(self, sid: str) -> Session | None:
        """Give a session, living or ended, by its sid."""
        return self._sessions.get(sid)

    def live(self, person: Person) -> Session | None:
        """Give a person's web login."""
        return next((s for s in self._sessions.values() if s.person is person and s.ended is None), None)

    def is_busy(self, person: Person) -> bool:
        """Say whether a person has a web login, or has just confirmed one."""
        return self.live(person) is not None or any(
            code.person is person and code.stage is Stage.CONFIRMED and self._is_live(code)
            for code in self._codes.values()
        )
