"""`Keep`, the setting of the media archive: its meaning and invalid values."""

from __future__ import annotations

from typing import Any

import pytest

from webwx.errors import InvalidSettings
from webwx.model.archive import Keep


def test_pictures_of_all_chats_up_to_ten_mebibytes_are_kept_by_default() -> None:
    keep = Keep()
    assert (keep.names, keep.kinds, keep.max_size, keep.max_total) == ((), ("image",), 10 * 2**20, 5 * 2**30)


@pytest.mark.parametrize(
    ("chats", "names", "shown"),
    [
        ("all", (), "all"),
        ("阿华", ("阿华",), "阿华"),
        (("阿华", "周末爬山"), ("阿华", "周末爬山"), "阿华, 周末爬山"),
        (("阿华", "all"), (), "all"),
    ],
)
def test_chats_are_all_or_the_named_ones(chats: str | tuple[str, ...], names: tuple[str, ...], shown: str) -> None:
    assert (Keep(chats=chats).names, str(Keep(chats=chats))) == (names, shown)


@pytest.mark.parametrize(
    "fields", [{"chats": ()}, {"chats": ""}, {"kinds": ()}, {"max_size": 0}, {"max_total": -1}, {"days": -1}]
)
def test_a_setting_that_would_store_nothing_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings):
        Keep(**fields)
