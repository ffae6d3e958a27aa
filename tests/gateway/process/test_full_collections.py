"""Full garbage collections, which are put off while accounts start."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from webwx.gateway.process.full_collections import FullCollections

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    """Restore the thresholds of this process."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_no_full_collection_begins_until_the_last_block_ends() -> None:
    collections = FullCollections()
    with collections.put_off():
        with collections.put_off():
            assert gc.get_threshold()[:2] == (700, 10)
            assert gc.get_threshold()[2] >= 1_000_000
        assert gc.get_threshold()[2] >= 1_000_000
    assert gc.get_threshold() == (700, 10, 10)


def test_full_collections_go_on_after_an_error() -> None:
    with pytest.raises(LookupError), FullCollections().put_off():
        raise LookupError
    assert gc.get_threshold() == (700, 10, 10)
