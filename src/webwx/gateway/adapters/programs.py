"""
The programs that use accounts through adapters, each with a token, an account, two lists of chats, and options.

Only the hash of a token is stored, so a token is shown once, when its program is created or the token is replaced.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from webwx.errors import InvalidRequest
from webwx.gateway.adapters.permissions import check_permissions
from webwx.gateway.adapters.program import StoredProgram
from webwx.gateway.adapters.registry import ADAPTERS, load_adapter
from webwx.gateway.problems import field_of, read_validation_error
from webwx.gateway.stored_values import StoredValues, random_text
from webwx.override import override

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from webwx.gateway.adapters.adapter import Adapter
    from webwx.gateway.adapters.registry import AdapterEntry
    from webwx.storage.tables.records import RecordStore

RECORD_KIND = "program"
"""Kind of the records."""

_FRESH = 1.0
"""Seconds for which it is remembered which adapters and tokens there are; each token is checked as it is stored."""

SHORTEST_TOKEN = 32
"""Minimum length of a token that an adapter makes."""


class NewProgram(NamedTuple):
    """A program that has a new token, which is not stored."""

    program: StoredProgram
    token: str

    def __repr__(self) -> str:
        return f"NewProgram({self.program.id})"


class _KnownPrograms(NamedTuple):
    """The enabled programs as they were read at a time."""

    by_digest: dict[tuple[str, str], str]
    """Ids of programs by adapter and digest."""
    adapters: frozenset[str]
    """Names of the adapters that are used."""
    read_at: float


_NOTHING_KNOWN = _KnownPrograms({}, frozenset(), float("-inf"))


class Programs(StoredValues[StoredProgram]):
    """
    The programs, stored as records.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
        entries: The adapters that there are.
        changed: Called after a program was changed or deleted here.
    """

    def __init__(
        self,
        records: RecordStore,
        clock: Callable[[], float],
        entries: Mapping[str, AdapterEntry] = ADAPTERS,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(records, clock, RECORD_KIND, StoredProgram, self._check_program)
        self.entries = entries
        self._changed = changed
        self._known = _NOTHING_KNOWN

    async def create(self, program: StoredProgram) -> NewProgram:
        """
        Store a program, and return it with its token, which cannot be read later.

        Args:
            program: The program; its id, digest and time are replaced.

        Raises:
            InvalidRequest: There is no such adapter, or an option or an entry of the lists is invalid.
        """
        token = _new_token(await self._import(program.adapter), program.account)
        made = msgspec.structs.replace(program, id=random_text(8), digest=digest_of(token), created_at=self._clock())
        await self.add(made)
        self._note_change(made.id)
        return NewProgram(made, token)

    @override
    async def change(
        self, value_id: str, change: Callable[[StoredProgram], StoredProgram]
    ) -> StoredProgram | None:  # fmt: skip
        program = await self.get(value_id)
        if program is None:
            return None
        await self._import(program.adapter)
        return await super().change(value_id, change)

    def shown_options(self, program: StoredProgram) -> dict[str, Any]:
        """Return the options of a program without those that are secret."""
        secrets = self.secrets_of(program)
        return {name: value for name, value in program.options.items() if name not in secrets}

    def secrets_of(self, program: StoredProgram) -> tuple[str, ...]:
        """Return the names of the options of a program that are never shown."""
        entry = self.entries.get(program.adapter)  # an adapter of a later version may have been removed
        return () if entry is None else entry.secrets

    async def rotate(self, program_id: str) -> NewProgram | None:
        """Replace the token of a program at once, and return both; None for an unknown id."""
        program = await self.get(program_id)
        if program is None:
            return None
        token = _new_token(await self._import(program.adapter), program.account)
        changed = await self.change(program_id, lambda each: msgspec.structs.replace(each, digest=digest_of(token)))
        return None if changed is None else NewProgram(changed, token)

    async def find_by_token(self, adapter: str, token: str) -> StoredProgram | None:
        """
        Return the enabled program of an adapter that has a token; None if no program has.

        A program that another process has created or changed is found as it is stored now.
        """
        # No comparison in constant time is needed: these are digests, which a client cannot choose.
        place = adapter, digest_of(token)
        program_id = (await self._current()).by_digest.get(place) or (await self._read()).by_digest.get(place)
        found = None if program_id is None else await self.get(program_id)
        return found if found is not None and found.enabled and (found.adapter, found.digest) == place else None

    async def is_used(self, adapter: str) -> bool:
        """Return whether an enabled program uses an adapter; after the last one of it, a second may pass."""
        return adapter in (await self._current()).adapters or adapter in (await self._read()).adapters

    async def revision_of(self, program_id: str) -> str | None:
        """Return the revision of an enabled program as it is stored now; None if there is none."""
        found = await self.get(program_id)
        return found.revision if found is not None and found.enabled else None

    async def _current(self) -> _KnownPrograms:
        is_fresh = 0 <= self._clock() - self._known.read_at < _FRESH
        return self._known if is_fresh else await self._read()

    async def _read(self) -> _KnownPrograms:
        read_at = self._clock()
        found = {(each.adapter, each.digest): each.id for each in await self.find() if each.enabled}
        self._known = _KnownPrograms(found, frozenset(adapter for adapter, _ in found), read_at)
        return self._known

    @override
    def _note_change(self, value_id: str) -> None:
        self._known = _NOTHING_KNOWN
        self._changed()

    async def _import(self, adapter: str) -> type[Adapter]:
        """
        Return the class of an adapter, imported in a thread, because that may take a second.

        Raises:
            InvalidRequest: There is no such adapter, or its libraries are not installed.
        """
        return await asyncio.to_thread(load_adapter, adapter, self.entries)

    def _check_program(self, program: StoredProgram) -> None:
        """
        Check a program before it is stored.

        Raises:
            InvalidRequest: There is no such adapter, or an option or an entry of the lists is invalid.
        """
        check_permissions(program.permissions)
        read_options(load_adapter(program.adapter, self.entries), program)


def read_options(adapter: type[Adapter], program: StoredProgram) -> Any:
    """
    Return the options of a program as the struct of its adapter.

    Raises:
        InvalidRequest: One of them is invalid.
    """
    try:
        options = msgspec.convert(program.options, adapter.options)
    except msgspec.ValidationError as error:
        reason, place = read_validation_error(error)
        raise InvalidRequest(
            f"The options of the adapter {program.adapter!r} are not valid: {error}.",
            field=field_of(f"options.{place}", reason),
        ) from None
    adapter.check(options)
    return options


def digest_of(token: str) -> str:
    """Return the digest under which a token is stored."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _new_token(adapter: type[Adapter], account: int) -> str:
    token = adapter.new_token(account)
    assert len(token) >= SHORTEST_TOKEN  # noqa: S101 - a mistake of the adapter
    return token
