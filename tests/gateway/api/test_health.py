"""The health of accounts and the version over the API."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from webwx.client.sending.rate_limit import LimiterState, RateLimit
from webwx.gateway.api.health import view_of_limit

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

ACCOUNT = "/api/v1/accounts/1"


async def test_health_counts_sends_and_the_age_of_the_sync(online: Running) -> None:
    async with online.client("read", "send") as client:
        sent = await client.post(f"{ACCOUNT}/messages", json={"to": "filehelper", "text": "t"})
        assert sent.status_code == 201
        health = (await client.get(f"{ACCOUNT}/health")).json()
    assert (health["account"], health["state"], health["sends"]) == (1, "online", {"sent": 1})
    assert health["sync_age_seconds"] is not None
    assert health["waiting_calls"] == 0
    assert health["rate_limit"] is None  # these accounts have none


def test_actions_are_counted_against_the_rate_limit() -> None:
    limit = RateLimit(messages_per_minute=7)
    state, _ = LimiterState().reserve(limit, "messages", 1000.0, 0.0)
    view = view_of_limit(state.refused(1000.0, 0.5).report(limit, 1000.0))
    counts = {each.kind: (each.used, each.most, each.period_seconds) for each in view.actions}
    assert set(counts) == {"messages", "uploads", "contact_changes", "chatroom_changes", "friend_requests"}
    assert counts["messages"] == (1, 7, 60)
    assert counts["friend_requests"] == (0, limit.friend_requests_per_day, 86_400)
    assert view.refusals == 1
    assert view.paused_until is not None
    assert view.wait_seconds > 0


async def test_an_account_without_a_login_has_no_rate_limit_yet(running: Running) -> None:
    await running.port.add_account("new")
    async with running.client("read") as client:
        health = (await client.get(f"{ACCOUNT}/health")).json()
    assert (health["state"], health["rate_limit"], health["sync_age_seconds"]) == ("new", None, None)


async def test_the_version_is_that_of_the_package(running: Running) -> None:
    async with running.client("read") as client:
        shown = (await client.get("/api/v1/version")).json()
    assert (shown["version"], shown["is_cluster"]) == (version("webwx"), False)


async def test_the_limits_are_those_of_the_configuration_and_of_the_platform(running: Running) -> None:
    async with running.client("read") as client:
        limits = (await client.get("/api/v1/version")).json()["limits"]
    assert limits == {
        "text_characters": 16_000, "upload_bytes": 1024**3, "image_bytes": 20 * 1024**2, "video_bytes": 20 * 1024**2,
    }  # fmt: skip
