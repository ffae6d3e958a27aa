"""Bots over HTTP: their state, and requests for their handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.gateway.conftest import SERVER

from webwx.bot.bot import Bot
from webwx.bot.http_handlers import HttpRequest, HttpResponse
from webwx.gateway.access.sessions import HEADER
from webwx.gateway.bots.bots import AssignedBot, HostedBots
from webwx.gateway.config import GatewayConfig, LimitsTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import Running, StartGateway

    from webwx.bot.context import Context


@pytest.fixture
def bot() -> Bot:
    """A bot with HTTP handlers."""
    bot = Bot(server=SERVER, name="deployer")

    @bot.on_http("/deploy")
    async def deploy(ctx: Context, request: HttpRequest) -> object:
        sent = await ctx.send_text("filehelper", f"deploying {request.text}")
        return {"id": sent.message_id, "names": sorted(request.headers)}

    @bot.on_http("/status/now", methods=("GET",))
    async def status(ctx: Context, request: HttpRequest) -> HttpResponse:
        return HttpResponse(body=f"<p>{request.query['of']}</p>".encode(), media_type="text/html")

    @bot.on_http("/break")
    async def fail(ctx: Context, request: HttpRequest) -> None:
        request.decode(int)
        raise ValueError("a secret")

    return bot


@pytest.fixture
async def deploying(start_gateway: StartGateway, bot: Bot) -> AsyncIterator[Running]:
    """A gateway with the bot, and one account that is logged in."""
    bots = HostedBots([AssignedBot(bot)])
    async with start_gateway(GatewayConfig(limits=LimitsTable(body=1000)), bots=bots) as running:
        await running.log_in()
        await until(lambda: bots.runs[0].state == "running")
        yield running


async def test_a_request_reaches_the_handler_of_its_path(deploying: Running) -> None:
    async with deploying.client("bots") as client:
        answer = await client.post(
            "/bots/deployer/deploy", content="1.2", headers={"Cookie": "a=b", HEADER: "c", "X-Id": "7"}
        )
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert "x-id" in answer.json()["names"]
        assert not {"authorization", "cookie", HEADER} & {*answer.json()["names"]}
        assert deploying.world.inbox("me")["filehelper"].messages[-1].text == "deploying 1.2"
        page = await client.get("/bots/deployer/status/now?of=all")
        assert (page.text, page.headers["content-type"]) == ("<p>all</p>", "text/html; charset=utf-8")
        assert "sandbox" in page.headers["content-security-policy"]


async def test_the_idempotency_key_of_a_request_makes_its_sends_the_same_ones(deploying: Running) -> None:
    async with deploying.client("bots") as client:
        headers = {"Idempotency-Key": "release-1"}
        first, second = [await client.post("/bots/deployer/deploy", content="1", headers=headers) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]


async def test_a_request_without_a_handler_or_with_a_failing_one_is_a_problem(deploying: Running) -> None:
    async with deploying.client("bots") as client:
        for path, status, code in (
            ("/bots/deployer/absent", 404, "not-found"),
            ("/bots/absent/deploy", 404, "not-found"),
            ("/bots/deployer/status/now", 405, "method-not-allowed"),
            ("/bots/deployer/deploy?account=absent", 404, "not-found"),
            ("/bots/deployer/break", 422, "invalid-body"),
        ):
            answer = await client.post(path)
            assert (answer.status_code, answer.json()["code"]) == (status, code), path
        failed = await client.post("/bots/deployer/break", content="1")
        assert (failed.status_code, failed.json()["code"]) == (500, "internal-error")
        assert "secret" not in failed.text
        large = await client.post("/bots/deployer/deploy", content="a" * 1001)
        assert (large.status_code, large.json()["code"]) == (413, "body-too-large")


async def test_the_account_selects_a_bot_and_a_key_reaches_its_own_accounts_only(
    deploying: Running,
) -> None:
    await deploying.log_in("other", who="ahua")
    await until(lambda: len([run for run in deploying.gateway.bots.runs if run.state == "running"]) == 2)
    async with deploying.client("bots") as client:
        several = await client.post("/bots/deployer/deploy", content="1")
        assert (several.status_code, "?account=" in several.json()["detail"]) == (404, True)
        for account in ("other", "2"):
            assert (await client.post(f"/bots/deployer/deploy?account={account}", content="2")).status_code == 200
        assert [each.text for each in deploying.world.inbox("ahua")["filehelper"].messages] == ["deploying 2"] * 2
    async with deploying.client("bots", accounts=(1,)) as client:
        assert (await client.post("/bots/deployer/deploy", content="1")).status_code == 200
        assert (await client.post("/bots/deployer/deploy?account=2", content="1")).status_code == 404


async def test_a_stopping_bot_is_reported_as_not_running(deploying: Running) -> None:
    async with deploying.client("bots") as client:
        deploying.gateway.begin_closing()
        answer = await client.post("/bots/deployer/deploy", content="1")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_bots_are_listed_measured_and_part_of_readiness(deploying: Running) -> None:
    async with deploying.client("read") as client:
        [listed] = (await client.get("/api/v1/bots")).json()["bots"]
        assert (listed["name"], listed["account"], listed["state"], listed["error"]) == ("deployer", 1, "running", None)
        assert listed["error_code"] == ""
        assert listed["paths"] == ["/break", "/deploy", "/status/now"]
        assert (
            'webwx_bot_events_total{account="1",bot="deployer",result="handled"}' in (await client.get("/metrics")).text
        )
        assert (await client.get("/readyz?require=bots")).status_code == 200
        deploying.world.log_out("me")
        await until(lambda: deploying.gateway.bots.runs[0].state == "waiting")
        answer = await client.get("/readyz?require=bots")
        assert (answer.status_code, answer.text) == (503, "A bot is not running.")
    async with deploying.client("read", accounts=(2,)) as client:
        assert (await client.get("/api/v1/bots")).json()["bots"] == []
        assert "deployer" not in (await client.get("/metrics")).text
