"""Requests of monitors."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


async def test_liveness_needs_no_key(running: Running) -> None:
    async with running.anonymous() as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


async def test_readiness_can_require_that_every_account_is_online(running: Running) -> None:
    async with running.anonymous() as client:
        answer = await client.get("/readyz?require=online")
        assert (answer.status_code, answer.text) == (503, "The gateway has no account.")
        await running.port.add_account("mine")
        assert (await client.get("/readyz")).status_code == 200
        answer = await client.get("/readyz?require=online")
        assert (answer.status_code, answer.text) == (503, "Accounts that are not online: 1 (new).")
        await running.log_in("mine")
        assert (await client.get("/readyz?require=online")).status_code == 200


async def test_a_gateway_whose_database_cannot_be_read_is_not_ready(running: Running) -> None:
    async with running.anonymous() as client:
        await running.gateway.records.close()
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "The database cannot be read.")


async def test_metrics_include_the_accounts_of_the_key_and_no_names(online: Running) -> None:
    await online.port.add_account("other")
    async with online.client("read", accounts=(1,)) as client:
        answer = await client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = [each for family in text_string_to_metric_families(answer.text) for each in family.samples]
    states = {each.labels["state"] for each in samples if each.name == "webwx_account_state" and each.value == 1}
    assert {each.labels["account"] for each in samples if "account" in each.labels} == {"1"}
    assert states == {"online"}
    assert "小明" not in answer.text


async def test_metrics_show_consumers_that_no_program_has_open(online: Running) -> None:
    account = online.port.account(1)
    async with account.events.consume("stopped"):
        pass
    online.world.say("ahua", "me", "hello")
    await online.until_text("hello")
    async with online.client("read") as client:
        text = (await client.get("/metrics")).text
    waiting = {
        each.labels["consumer"]: each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
        if each.name == "webwx_consumer_waiting_events"
    }
    assert waiting["stopped"] == 1
    assert 'webwx_consumer_dead_letters{account="1",consumer="stopped"} 0.0' in text


async def test_metrics_count_the_notifications_of_each_receiver(online: Running) -> None:
    await online.port.add_account("other")
    async with online.client("admin") as client:
        made = await client.post("/api/v1/receivers", json={"name": "SECRET", "kind": "gotify", "account": 1})
        receiver, path = made.json()["receiver"]["id"], made.json()["path"]
        assert (await client.post(path, json={"message": "backup finished"})).status_code == 200
        assert (await client.post(path, json={"message": ""})).status_code == 400
        text = (await client.get("/metrics")).text
    async with online.client("read", accounts=(2,)) as client:
        assert receiver not in (await client.get("/metrics")).text
    labels = f'account="1",receiver="{receiver}"'
    assert f'webwx_receiver_notifications_total{{{labels},result="accepted"}} 1.0' in text
    assert f'webwx_receiver_notifications_total{{{labels},result="refused"}} 1.0' in text
    assert f"webwx_receiver_waiting{{{labels}}} 0.0" in text
    assert "SECRET" not in text


async def test_metrics_show_how_long_requests_take_by_route_and_status(running: Running) -> None:
    async with running.client("admin") as client:
        for account in ("1", "2"):
            assert (await client.get(f"/api/v1/accounts/{account}")).status_code == 404
        assert (await client.request("SECRET", "/absent/secret")).status_code in {404, 405}
        await client.post("/api/v1/receivers", json={"name": "n", "kind": "gotify", "account": 1, "token": "t" * 20})
        assert (await client.post("/message?token=wrong", json={"message": "m"})).status_code == 401
        await client.get("/metrics")
        text = (await client.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["webwx_http_request_seconds"].samples
    counts = {
        (each.labels["method"], each.labels["route"], each.labels["status"]): each.value
        for each in samples
        if each.name.endswith("_count")
    }
    assert counts["GET", "/api/v1/accounts/{account}", "4xx"] == 2
    assert counts["GET", "/metrics", "2xx"] == 1
    assert counts["POST", "receiver", "4xx"] == 1
    assert [key for key in counts if key[0] == "other"] == [("other", "other", "4xx")]
    assert "secret" not in text.lower()
    buckets = [each.value for each in samples if each.name.endswith("_bucket") and each.labels["route"] == "/metrics"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 1


@pytest.mark.verify
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_accepts_the_metrics(online: Running) -> None:
    async with online.client("read") as client:
        await online.log_in("other", "阿华")
        assert (await client.get("/api/v1/accounts")).status_code == 200
        text = (await client.get("/metrics")).content
    assert b"webwx_http_request_seconds_bucket" in text
    checked = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


async def test_metrics_need_a_key(running: Running) -> None:
    async with running.anonymous() as client:
        assert (await client.get("/metrics")).status_code == 401
