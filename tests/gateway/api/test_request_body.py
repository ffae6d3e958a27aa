"""Integers of JSON bodies; tests/gateway/api/test_bad_requests.py sends them to every route."""

from __future__ import annotations

from typing import Any

import pytest

from webwx.gateway.api.request_body import has_long_integer


@pytest.mark.parametrize("value", [2**63, [1, [-(2**63) - 1]], {"a": {"b": [2**64]}}])
def test_an_integer_of_more_than_64_bits_is_found_at_any_depth(value: Any) -> None:
    assert has_long_integer(value)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), "9" * 30, 1e300, None, {"a": [True, "x"]}])
def test_other_values_have_no_long_integer(value: Any) -> None:
    assert not has_long_integer(value)
