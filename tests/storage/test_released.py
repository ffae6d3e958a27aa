"""What each released version has stored, opened by this one."""

from __future__ import annotations

import asyncio
import gzip
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.storage.released import filled, make

from webwx.storage.open import upgrade_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import TemporarySchema

RELEASED = [path.name for path in sorted(make.FOLDER.iterdir()) if (path / "files.json").exists()]

NOW = "this version"

pytestmark = pytest.mark.verify


@pytest.fixture(scope="module", params=[*RELEASED, NOW])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what a version has stored; that of this version is made here."""
    folder = make.FOLDER / request.param
    with pytest.MonkeyPatch.context() as patch:
        filled.use_small_picture(patch)
        if request.param == NOW:
            folder = tmp_path_factory.mktemp("released") / "now"
            asyncio.run(make.make(folder))
        yield folder


def lost(before: Any, after: Any, path: str = "") -> list[str]:
    """Return the paths of values that are other ones now; values may be added to an object."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [each for key in before for each in lost(before[key], after.get(key), f"{path}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [each for at, value in enumerate(before) for each in lost(value, after[at], f"{path}[{at}]")]
    return [] if before == after else [f"{path}: {before!r} is {after!r}"]


async def test_files_that_a_released_version_has_written_are_read(stored: Path, tmp_path: Path) -> None:
    with tarfile.open(stored / "files.tar.xz") as archive:
        archive.extractall(tmp_path / "home", filter="tar")
    assert lost(json.loads((stored / "files.json").read_text()), await filled.found(str(tmp_path / "home"))) == []


async def test_a_database_that_a_released_version_has_written_is_read(stored: Path, schema: TemporarySchema) -> None:
    dump = gzip.decompress((stored / "database.sql.gz").read_bytes()).decode()
    schema.restore(dump.replace(make.SCHEMA, schema.name))
    await upgrade_database(schema.url, print)
    assert lost(json.loads((stored / "database.json").read_text()), await filled.found(schema.url)) == []


def test_values_that_are_lost_are_named() -> None:
    assert lost({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2, "c": 3}]}) == []
    assert lost({"a": [1, {"b": 2}]}, {"a": [1, {"c": 3}]}) == [".a[1].b: 2 is None"]
    assert lost([1], [1, 2]) == [": [1] is [1, 2]"]
