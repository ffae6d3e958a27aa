"""
Store an installation as this version of webwx writes it, which each later version must open.

    python -m tests.storage.released.make

`make release` runs it: the files belong to the version of pyproject.toml, and are not made again.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.postgres import new_schema
from tests.storage.released import filled

FOLDER = Path(__file__).parent

SCHEMA = "SCHEMA_NAME"
"""Stands for the name of the schema in the dump."""


async def make(folder: Path) -> None:
    """Write what this version stores into a folder: files, a database, and what a program finds in each."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        await filled.fill(str(home))
        await write(folder / "files.json", str(home))
        with tarfile.open(folder / "files.tar.xz", "w:xz") as archive:
            archive.add(home, ".")
    schema = new_schema()
    await filled.fill(schema.url)
    await write(folder / "database.json", schema.url)
    dump = schema.dump().replace(schema.name, SCHEMA)
    (folder / "database.sql.gz").write_bytes(gzip.compress(dump.encode(), mtime=0))


async def write(path: Path, place: str) -> None:
    """Write what a program finds in a folder or a database."""
    path.write_text(json.dumps(await filled.found(place), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Make the folder of the installed version."""
    folder = FOLDER / version("webwx")
    if folder.exists():
        sys.exit(f"{folder} is there already; what a version has written does not change.")
    with pytest.MonkeyPatch.context() as patch:
        filled.use_small_picture(patch)
        asyncio.run(make(folder))
    print(folder)


if __name__ == "__main__":
    main()
