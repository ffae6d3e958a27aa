"""Programs: found by their tokens, which are stored as hashes, and checked before they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from webwx.errors import InvalidRequest
from webwx.gateway.adapters.permissions import ChatPermissions
from webwx.gateway.adapters.program import StoredProgram
from webwx.gateway.adapters.programs import RECORD_KIND, Programs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.gateway.adapters.registry import AdapterEntry
    from webwx.storage.tables.records import RecordStore


class Clock:
    now = 1_764_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def programs(records: RecordStore, toy: dict[str, AdapterEntry]) -> Programs:
    return Programs(records, Clock(), toy)


def to_store(**fields: Any) -> StoredProgram:
    return StoredProgram(
        **{"id": "", "name": "n", "adapter": "note", "account": 1, "digest": "", "created_at": 0, **fields}
    )


async def test_a_program_is_found_by_its_token_which_is_not_stored(programs: Programs, records: RecordStore) -> None:
    made = await programs.create(to_store())
    assert await programs.find_by_token("note", made.token) == made.program
    assert await programs.find_by_token("other", made.token) is None
    assert await programs.find_by_token("note", made.token + "x") is None
    [record] = await records.find(RECORD_KIND)
    assert made.token.encode() not in record.body
    assert made.token not in repr(made)


async def test_a_new_token_replaces_the_old_one(programs: Programs) -> None:
    made = await programs.create(to_store())
    renewed = await programs.rotate(made.program.id)
    assert renewed is not None
    assert await programs.find_by_token("note", made.token) is None
    assert await programs.find_by_token("note", renewed.token) == renewed.program
    assert renewed.program.revision != made.program.revision


async def test_a_token_that_is_replaced_during_a_read_is_invalid_at_once(
    records: RecordStore, toy: dict[str, AdapterEntry]
) -> None:
    class Interrupted(Programs):
        """Programs that are changed between a read and its end."""

        interrupt: Callable[[], Awaitable[object]] | None = None

        async def find(self) -> list[StoredProgram]:
            found = await super().find()
            interrupt, self.interrupt = self.interrupt, None
            if interrupt is not None:
                await interrupt()
            return found

    programs = Interrupted(records, Clock(), toy)
    made = await programs.create(to_store())
    programs.interrupt = lambda: programs.rotate(made.program.id)
    assert await programs.find_by_token("note", made.token) is None


async def test_a_disabled_program_has_no_valid_token(programs: Programs) -> None:
    made = await programs.create(to_store(enabled=False))
    assert await programs.find_by_token("note", made.token) is None
    assert await programs.is_used("note") is False
    assert await programs.revision_of(made.program.id) is None


async def test_what_another_process_stores_is_valid_at_once(records: RecordStore, toy: dict[str, AdapterEntry]) -> None:
    here, there = (Programs(records, Clock(), toy) for _ in range(2))  # for which no time passes
    assert await here.is_used("note") is False
    made = await there.create(to_store())
    assert await here.is_used("note") is True
    assert await here.find_by_token("note", made.token) == made.program
    renewed = await there.rotate(made.program.id)
    assert renewed is not None
    assert await here.find_by_token("note", made.token) is None
    assert await here.find_by_token("note", renewed.token) == renewed.program
    await there.delete(made.program.id)
    assert await here.find_by_token("note", renewed.token) is None


async def test_by_default_a_program_reaches_file_transfer_helper_only(programs: Programs) -> None:
    made = await programs.create(to_store())
    assert made.program.permissions == ChatPermissions(see=("filehelper",), write=("filehelper",))


@pytest.mark.parametrize(
    "fields",
    [
        {"adapter": "other"},
        {"options": {"surprise": 1}},
        {"options": {"url": 5}},
        {"options": {"url": "http://10.0.0.1/"}},
        {"permissions": ChatPermissions(see=("everyone",))},
        {"permissions": ChatPermissions(write=(0,))},
    ],
)
async def test_an_invalid_program_is_neither_created_nor_made_by_a_change(
    programs: Programs, fields: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest):
        await programs.create(to_store(**fields))
    made = await programs.create(to_store())
    with pytest.raises(InvalidRequest):
        await programs.change(made.program.id, lambda each: to_store(id=each.id, digest=each.digest, **fields))
    assert await programs.find() == [made.program]


async def test_an_unknown_id_is_not_found(programs: Programs) -> None:
    assert await programs.get("none") is None
    assert await programs.rotate("none") is None
    assert await programs.change("none", lambda each: each) is None
    assert await programs.delete("none") is False
