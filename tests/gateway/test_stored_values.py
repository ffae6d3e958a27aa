"""Values of the gateway, stored as records."""

from __future__ import annotations

import msgspec
import pytest

from webwx.errors import InvalidRequest, RecordChanged
from webwx.gateway.stored_values import StoredValues
from webwx.storage.open import open_records


class Note(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    created_at: float = 0.0
    text: str = ""


def check(note: Note) -> None:
    if note.text == "invalid":
        raise InvalidRequest("The text is invalid.")


def notes() -> StoredValues[Note]:
    return StoredValues(open_records("memory:"), lambda: 1.0, "note", Note, check)


async def test_values_are_found_in_the_order_of_their_creation() -> None:
    values = notes()
    await values.add(Note(id="a", created_at=2.0))
    await values.add(Note(id="b", created_at=1.0))

    assert [each.id for each in await values.find()] == ["b", "a"]


async def test_a_value_is_changed_by_a_function_and_deleted_by_its_id() -> None:
    values = notes()
    await values.add(Note(id="a", text="old"))
    changed = await values.change("a", lambda note: msgspec.structs.replace(note, text=f"{note.text} and new"))

    assert changed == await values.get("a") == Note(id="a", text="old and new")
    assert [await values.delete("a"), await values.delete("a")] == [True, False]
    assert await values.get("a") is None
    assert await values.change("a", lambda note: note) is None


async def test_an_invalid_value_is_not_stored() -> None:
    values = notes()
    with pytest.raises(InvalidRequest):
        await values.add(Note(id="a", text="invalid"))
    await values.add(Note(id="a", text="valid"))
    with pytest.raises(InvalidRequest):
        await values.change("a", lambda note: msgspec.structs.replace(note, text="invalid"))

    assert await values.find() == [Note(id="a", text="valid")]


async def test_an_id_is_used_once() -> None:
    values = notes()
    await values.add(Note(id="a"))
    with pytest.raises(RecordChanged):
        await values.add(Note(id="a"))
