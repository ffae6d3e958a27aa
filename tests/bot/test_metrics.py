"""Metrics: valid text for Prometheus, with the counts of bots and accounts, and without names or ids."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.bot.conftest import running, until
from tests.client.conftest import SERVER

from webwx.bot.bot import Bot
from webwx.bot.metrics import Metrics
from webwx.client.client import AsyncClient
from webwx.installation import install_command
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.sandbox.world import World

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def read(metrics: Metrics) -> Samples:
    """Read the metrics as Prometheus does."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families((await metrics.text()).decode())
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


async def test_events_attempts_and_timers_of_a_bot_are_counted(open_client: OpenClient, world: World) -> None:
    metrics = Metrics()
    async with open_client() as client:
        bot = Bot(name="shop", attempts=1, client=client)

        @bot.timer()
        def note(ctx: SyncContext, data: str) -> None:
            if data == "bad":
                raise ValueError

        @bot.on(TextMessage)
        async def handle(ctx: Context, message: TextMessage) -> None:
            await ctx.call_later(note, data=message.text)
            if message.text == "bad":
                raise ValueError

        bot.every(hours=1)(lambda ctx: None)
        metrics.time_handlers(bot)
        metrics.add_bot(bot, client)
        metrics.add_bot(bot, client)
        async with running(bot, client):
            for text in ("good", "bad", "good"):
                world.say("ahua", "me", text)
            await until(lambda: bot.counts.delivered >= 2 and bot.counts.dead == 1)
            await until(lambda: (bot.timer_counts.done, bot.timer_counts.failed) == (2, 1))
            samples = await read(metrics)
    labels = {"account": "1", "bot": "shop"}
    assert value(samples, "webwx_bot_events_total", **labels, result="handled") >= 2
    assert value(samples, "webwx_bot_events_total", **labels, result="dead") == 1
    assert value(samples, "webwx_bot_failed_attempts_total", **labels) == 1
    assert value(samples, "webwx_bot_handler_seconds_count", **labels) == 3
    assert value(samples, "webwx_bot_events_in_flight", **labels) == 0
    assert value(samples, "webwx_bot_events_deferred", **labels) == 0
    assert value(samples, "webwx_bot_slow_calls_total", **labels) == 0
    assert value(samples, "webwx_bot_unknown_sends_total", **labels) == 0
    assert value(samples, "webwx_bot_timers", **labels) == 1
    assert value(samples, "webwx_bot_timer_calls_total", **labels, result="done") == 2
    assert value(samples, "webwx_bot_timer_calls_total", **labels, result="failed") == 1


async def test_account_has_one_state_and_its_sends(open_client: OpenClient) -> None:
    metrics = Metrics()
    async with open_client() as client, AsyncClient(server=SERVER) as other:
        assert (metrics.add_account(client), metrics.add_account(other), metrics.add_account(client)) == ("1", "2", "1")
        await client.send_text("阿华", "hello")
        samples = await read(metrics)
    states = {
        dict(labels)["state"]: each
        for (name, labels), each in samples.items()
        if name == "webwx_account_state" and ("account", "1") in labels
    }
    assert {name for name, each in states.items() if each == 1} == {"online"}
    assert set(states) == {"new", "logging_in", "online", "degraded", "logged_out"}
    assert value(samples, "webwx_account_sends", account="1", state="sent") == 1
    assert value(samples, "webwx_account_journal_readable", account="1") == 1
    assert value(samples, "webwx_account_rate_limit_wait_seconds", account="2") == 0
    assert value(samples, "webwx_account_waiting_calls", account="1") == 0
    assert value(samples, "webwx_account_poll_seconds", account="2") >= 0


async def test_text_has_no_name_and_no_id(open_client: OpenClient) -> None:
    metrics = Metrics()
    async with open_client() as client:
        metrics.add_account(client)
        text = (await metrics.text()).decode()
        assert client.account.id not in text
        assert client.account.nickname not in text
    assert text.isascii()
    assert "process_resident_memory_bytes" in text or sys.platform != "linux"


async def test_text_without_an_account_is_valid() -> None:
    samples = await read(Metrics())
    assert not any(name.startswith("webwx_account") for name, _ in samples)


def test_package_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(
        ModuleNotFoundError,
        match=re.escape(f"Metrics need the package prometheus-client: {install_command('metrics')}."),
    ):
        Metrics()
