"""The page of the fields that only `raw` shows equals what the recorded messages show today."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from tests.raw_fields import PAGE, REASONS, Rows, page, raw_only, reason_for


@pytest.fixture(scope="module")
def rows() -> Rows:
    return raw_only()


def test_every_field_has_a_reason(rows: Rows) -> None:
    assert all(map(reason_for, rows))
    with pytest.raises(LookupError, match="a reason to REASONS"):
        reason_for("Content: msg/hologram")


def test_every_reason_has_a_field(rows: Rows) -> None:
    assert [pattern for pattern in REASONS if not any(fnmatchcase(path, pattern) for path in rows)] == []


def test_the_page_equals_the_output_of_make_docs(rows: Rows) -> None:
    assert page(rows) == PAGE.read_text(encoding="utf-8"), "run `make docs`"


@pytest.mark.parametrize("path", ["FileName", "RecommendInfo.Sex", "Content: msg/appmsg/refermsg/svrid", "NewMsgId"])
def test_a_field_is_listed_only_if_no_field_of_an_event_shows_it(rows: Rows, path: str) -> None:
    assert (path in rows) is (path == "NewMsgId")
