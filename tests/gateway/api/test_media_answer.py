"""Which part of a file is answered."""

from __future__ import annotations

import pytest

from webwx.gateway.api.media_answer import range_of
from webwx.gateway.problems import GatewayProblem


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, None), ("bytes=0-", (0, 9)), ("bytes=3-5", (3, 5)), ("bytes=3-99", (3, 9)), ("bytes=-4", (6, 9)),
        ("bytes=-99", (0, 9)), ("bytes=0-1,4-5", None), ("pages=1-2", None), ("bytes=-", None),
    ],
)  # fmt: skip
def test_a_range_is_read_as_its_first_and_last_byte(header: str | None, found: tuple[int, int] | None) -> None:
    assert range_of(header, 10) == found


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=5-4", "bytes=-0"])
def test_a_range_outside_of_the_file_is_refused(header: str) -> None:
    with pytest.raises(GatewayProblem):
        range_of(header, 10)
