"""What is made once for all processes of a test run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.once import made_once

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_made_by_the_first_that_asks_and_the_others_wait(tmp_path_factory: pytest.TempPathFactory) -> None:
    tmp_path_factory.getbasetemp()  # threads would make one each
    made: list[Path] = []

    def make(folder: Path) -> None:
        (folder / "half").touch()
        made.append(folder)
        (folder / "whole").touch()

    def ask(_: int) -> bool:
        return (made_once(tmp_path_factory, "test-once", make) / "whole").exists()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(8))) == [True] * 8
    assert len(made) == 1


def test_what_failed_is_made_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("No space is left.")

    with pytest.raises(OSError, match="No space"):
        made_once(tmp_path_factory, "test-failed", fail)
    made_once(tmp_path_factory, "test-failed", lambda folder: (folder / "whole").touch())
    assert (made_once(tmp_path_factory, "test-failed", fail) / "whole").exists()
