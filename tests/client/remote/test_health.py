"""The health of an account through a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.cli.gateway.test_serve import new_key, serving
from tests.client.remote.conftest import QUICK

from webwx.client.client import AsyncClient
from webwx.client.sending.rate_limit import RateLimit
from webwx.client.state import LoginState
from webwx.errors import NotLoggedIn

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


async def test_an_account_is_measured(client: AsyncClient) -> None:
    await client.send_text("filehelper", "counted")
    measured = await client.measure()
    assert (measured.state, measured.sends, measured.rate_limit_wait) == (LoginState.ONLINE, {"sent": 1}, 0)
    assert (measured.is_journal_readable, measured.waiting_calls) == (True, 0)
    assert await client.rate_limit_state() is None


async def test_the_rate_limit_of_the_gateway_is_read(me: Shell) -> None:
    me.environment["WEBWX_RATE_LIMIT"] = "on"
    Path(me.environment["WEBWX_CONFIG"]).write_text("[rate_limit]\nburst = 2\nspacing = 1000\nuploads_per_hour = 7\n")
    with serving(me) as (_, first_line):
        async with AsyncClient(gateway=first_line["url"], key=new_key(me, "admin"), timeouts=QUICK) as client:
            before = await client.rate_limit_state()
            for text in ("one", "two"):
                await client.send_text("filehelper", text)
            after = await client.rate_limit_state()

    assert before is not None
    assert before.limit == RateLimit(burst=2, spacing=1000, uploads_per_hour=7, patience=300)
    assert (before.may_send, before.messages_last_minute, before.paused_until, before.refusals) == (True, 0, None, 0)
    assert after is not None
    assert (after.may_send, after.messages_last_minute, after.uploads_last_hour) == (False, 2, 0)
    assert 0 < after.wait <= 1000
    assert after.next_at > before.next_at


async def test_an_account_that_was_never_logged_in_has_no_rate_limit_yet(me: Shell) -> None:
    with serving(me) as (_, first_line):
        key = new_key(me, "admin")
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as caller:
            added = await caller.post(f"{first_line['url']}/api/v1/accounts", json={"name": "later"})
            assert added.status_code == 201
        async with AsyncClient(gateway=first_line["url"], key=key, account="later", timeouts=QUICK) as client:
            with pytest.raises(NotLoggedIn):
                await client.rate_limit_state()
            assert (await client.measure()).state is LoginState.NEW
