"""The account that a request is for is named by its path, or by the id of an event in it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from webwx.gateway.accounts.account_finders import RouteAccounts


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/api/v1/accounts/work/contacts", "work"),
        ("/api/v1/webhooks/w/dead-letters/7-12/revive", "7"),
        ("/api/v1/webhooks", None),
        ("/m/token/a.png", None),
    ],
)
async def test_an_account_is_named_by_the_path_of_a_request(path: str, named: str | None) -> None:
    async def look_up(which: str) -> int | None:
        return {"work": 1, "7": 7}[which]

    found = await RouteAccounts(look_up).account_of(cast("Any", {"path": path}))
    assert found == (None if named is None else await look_up(named))
