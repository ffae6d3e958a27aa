"""
The confirmations, stored as records, the same for all nodes.

A send has one record, found by its key, and its code is a record as well, so no two sends of an account have the same
code. Every change is one of a version, so of two answers one counts.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import RecordChanged
from webwx.gateway.adapters.confirmation import CODE_DIGITS, Confirmation, id_of
from webwx.storage.tables.records import RecordChange

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.adapters.confirmation import SendToConfirm
    from webwx.gateway.adapters.program import Program
    from webwx.storage.tables.records import RecordStore

MOST_OPEN = 5
"""Maximum number of sends of one program that wait for its owner."""

_KIND = "program-confirmation"
_CODE_KIND = "program-confirmation-code"
_PIECE_KIND = "program-confirmation-piece"

_PIECE = 1024 * 1024
"""Number of bytes of a file in one record."""

_KEPT = 86_400.0
"""Seconds that an answered question stays, so that a repeated call and a late answer find it."""

_BODY = msgspec.json.Decoder(Confirmation)


class TooManyOpen(Exception):
    """Too many sends of the program wait for its owner."""


class StoredConfirmations:
    """
    The confirmations of all programs.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
        code_digits: Number of digits of a new code.
    """

    def __init__(
        self, records: RecordStore, clock: Callable[[], float], *, code_digits: int = CODE_DIGITS
    ) -> None:  # fmt: skip
        self._records = records
        self._clock = clock
        self._code_digits = code_digits

    def __repr__(self) -> str:
        return "StoredConfirmations()"

    async def add(self, program: Program, send: SendToConfirm) -> Confirmation:
        """
        Store the question about a send, or return the one that is stored with its key.

        Raises:
            TooManyOpen: Too many sends of the program wait.
        """
        await self._delete_old(program.id)
        while True:
            known = await self.find(program.id, send.key)
            if known is not None:
                return known
            if sum(each.is_open for each in await self.list(program.id)) >= MOST_OPEN:
                raise TooManyOpen
            made = Confirmation(
                id=id_of(send.key), program=program.id, account=program.account, code=self._new_code(),
                key=send.key, to=send.to, name=send.name, is_group=send.is_group, kind=send.kind, digest=send.digest,
                text=send.text, file=send.file, size=len(send.content), event=send.event, user=send.user,
                created_at=self._clock(),
            )  # fmt: skip
            named = f"{made.program}/{made.id}".encode()
            changes = [
                RecordChange(kind=_of_program(made.program), id=made.id, version=0, body=msgspec.json.encode(made)),
                RecordChange(kind=_codes(made.account), id=made.code, version=0, body=named),
            ]
            try:
                await self._records.change(changes, time=made.created_at)
            except RecordChanged:  # the code is taken, or another call with this key was quicker
                continue
            return made

    def _new_code(self) -> str:
        return f"{secrets.randbelow(10**self._code_digits):0{self._code_digits}}"

    async def put_file(self, confirmation: Confirmation, content: bytes) -> None:
        """Store the file of a send; a second call does nothing more."""
        for start in range(0, len(content), _PIECE):
            piece = content[start : start + _PIECE]
            await self._records.overwrite(_PIECE_KIND, {_piece(confirmation, start): piece}, time=self._clock())

    async def file_of(self, confirmation: Confirmation) -> bytes:
        """Return the file of a send."""
        found = await self._records.find(_PIECE_KIND, prefix=_piece(confirmation))
        return b"".join(each.body for each in found)

    async def find(self, program: str, key: str) -> Confirmation | None:
        """Return the confirmation of a send by its key; None if it needed none, or was long ago."""
        return await self._get(program, id_of(key))

    async def of_code(self, account: int, code: str) -> Confirmation | None:
        """Return the confirmation with a code."""
        found = await self._records.get(_codes(account), code)
        if found is None:
            return None
        program, _, confirmation = found.body.decode().partition("/")
        return await self._get(program, confirmation)

    async def list(self, program: str) -> list[Confirmation]:
        """Return the confirmations of a program, the oldest first."""
        found = [_BODY.decode(each.body) for each in await self._records.find(_of_program(program))]
        now = self._clock()
        return sorted([await self._expired(each, now) for each in found], key=lambda each: each.created_at)

    async def change(
        self, confirmation: Confirmation, change: Callable[[Confirmation], Confirmation]
    ) -> Confirmation:  # fmt: skip
        """Replace a confirmation by the result of a function of it, as it is stored; return what is stored then."""
        while True:
            record = await self._records.get(_of_program(confirmation.program), confirmation.id)
            if record is None:  # its program was deleted
                return msgspec.structs.replace(confirmation, state="expired", text="")
            stored = _BODY.decode(record.body)
            changed = change(stored)
            if changed == stored:
                return stored
            if not changed.is_open:
                changed = msgspec.structs.replace(changed, text="")
            body = msgspec.json.encode(changed)
            try:
                await self._records.put(record.kind, record.id, body, version=record.version, time=self._clock())
            except RecordChanged:
                continue
            if not changed.is_open:
                await self._delete_file(changed)
            return changed

    async def end_open(self, program: str) -> None:
        """
        End the questions of a program after the restore of an earlier moment.

        An accepted send may have been made since, so it counts as made; a question may have been answered since, so it
        has expired.
        """
        for each in await self.list(program):
            if each.is_open:
                await self.change(
                    each,
                    lambda stored: msgspec.structs.replace(
                        stored, state="made" if stored.state == "accepted" else "expired"
                    ),
                )

    async def forget(self, program: str) -> None:
        """Delete the confirmations of a program that was deleted."""
        for record in await self._records.find(_of_program(program)):
            await self._delete(_BODY.decode(record.body))

    async def _get(self, program: str, confirmation: str) -> Confirmation | None:
        record = await self._records.get(_of_program(program), confirmation)
        return None if record is None else await self._expired(_BODY.decode(record.body), self._clock())

    async def _expired(self, confirmation: Confirmation, now: float) -> Confirmation:
        """Return a confirmation, which has expired if there was no answer in time."""
        if not confirmation.is_late(now):
            return confirmation
        return await self.change(confirmation, lambda stored: _expire(stored, now))

    async def _delete_old(self, program: str) -> None:
        now = self._clock()
        for each in await self.list(program):
            if not each.is_open and each.created_at < now - _KEPT:
                await self._delete(each)

    async def _delete(self, confirmation: Confirmation) -> None:
        await self._delete_file(confirmation)
        await self._records.delete(_codes(confirmation.account), confirmation.code)
        await self._records.delete(_of_program(confirmation.program), confirmation.id)

    async def _delete_file(self, confirmation: Confirmation) -> None:
        for start in range(0, confirmation.size, _PIECE):
            await self._records.delete(_PIECE_KIND, _piece(confirmation, start))


def _expire(stored: Confirmation, now: float) -> Confirmation:
    return msgspec.structs.replace(stored, state="expired") if stored.is_late(now) else stored


def _of_program(program: str) -> str:
    return f"{_KIND}/{program}"


def _codes(account: int) -> str:
    return f"{_CODE_KIND}/{account}"


def _piece(confirmation: Confirmation, start: int | None = None) -> str:
    """Return the id of a piece of a file, in their order; None: the begin of the ids of all of them."""
    return f"{confirmation.program}/{confirmation.id}/{'' if start is None else f'{start // _PIECE:06}'}"
