"""The options of a process that shares a database with others."""

from __future__ import annotations

import pytest

from webwx.cli.gateway.node import NodeOptions


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        (None, "http://10.0.0.5:8791"),
        ("worker-1", "http://worker-1:8791"),
        ("worker-1:80", "http://worker-1:80"),
        ("https://worker-1.example", "https://worker-1.example"),
    ],
)
def test_the_others_reach_it_where_it_listens_or_under_its_name(address: str | None, reached: str) -> None:
    options = NodeOptions(capacity=1, address=address, lease=15, heartbeat=5)
    assert options.address_of("http://10.0.0.5:8791") == reached
