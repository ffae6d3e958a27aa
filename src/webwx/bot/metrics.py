"""
Metrics: what the bots and accounts of a process do, as text for Prometheus.

Counts are read from the bots and accounts when the text is made. Only the run times of handlers are measured as they
run, by a middleware. Labels are the bot's name and a number for its account, never a name or an id. The library
prometheus-client writes the text; it is imported with the first `Metrics`.
"""

from __future__ import annotations

import time
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from webwx.client.state import LoginState
from webwx.installation import install_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

    from webwx.bot.bot import Bot
    from webwx.bot.context import Context
    from webwx.bot.handler_calls import Proceed
    from webwx.client.client import AsyncClient
    from webwx.client.login.measurement import AccountMeasurement
    from webwx.model.messages import Event

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Type of the text, for the header of an HTTP response."""

_BUCKETS = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Upper limits in seconds of the histogram of handlers."""


class MeasuredAccount(Protocol):
    """An account whose state is shown."""

    async def measure(self) -> AccountMeasurement:
        """Return the present state of the account in numbers."""
        ...


class Metrics:
    """
    The metrics of some bots and accounts, and of the process itself.

    Raises:
        ModuleNotFoundError: The package prometheus-client is not installed.
    """

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, metrics_core
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                f"Metrics need the package prometheus-client: {install_command('metrics')}."
            ) from None
        self._gauge = metrics_core.GaugeMetricFamily
        self._counter = metrics_core.CounterMetricFamily
        self._histogram = metrics_core.HistogramMetricFamily
        self.registry: CollectorRegistry = CollectorRegistry()
        """Holds all metrics; further ones can be registered."""
        self._handler_seconds = Histogram(
            "webwx_bot_handler_seconds", "Seconds that calls of handlers took.", ("account", "bot"),
            registry=self.registry, buckets=_BUCKETS,
        )  # fmt: skip
        ProcessCollector(registry=self.registry)
        self.registry.register(self)
        self._accounts: dict[MeasuredAccount, str] = {}
        """The accounts, each with its number."""
        self._bots: dict[Bot, str] = {}
        """The bots, each with the number of its account."""
        self._histograms: list[HistogramMetricFamily] = []
        """Histograms that other parts have measured."""
        self._families: list[Metric] = []
        """Gauges and counters that other parts have measured."""
        self._measured: dict[str, AccountMeasurement] = {}
        """Measurements for the present text, by the number of the account."""

    # -- what is measured --------------------------------------------------------------------------------------------

    def add_account(self, account: MeasuredAccount, number: int | None = None) -> str:
        """
        Add an account, unless it was added before; return its number, the label of its metrics.

        Args:
            account: The account, such as a client.
            number: Number of the account; None: the number of accounts after it is added.
        """
        return self._accounts.setdefault(account, str(len(self._accounts) + 1 if number is None else number))

    def add_bot(self, bot: Bot, account: AsyncClient | int) -> None:
        """Add a bot and its account, or the number of an account that was added; call this after each login."""
        self._bots[bot] = str(account) if isinstance(account, int) else self.add_account(account)

    def time_handlers(self, bot: Bot) -> None:
        """Measure the calls of a bot's handlers; call this before the bot runs."""

        async def measured(_ctx: Context, _event: Event, proceed: Proceed) -> None:
            begun = time.perf_counter()
            try:
                await proceed()
            finally:
                self._handler_seconds.labels(self._bots[bot], bot.name).observe(time.perf_counter() - begun)

        bot.middleware(measured)

    def add_histogram(
        self,
        name: str,
        description: str,
        labels: tuple[str, ...],
        limits: Sequence[float],
        series: Iterable[tuple[tuple[str, ...], Sequence[int], float]],
    ) -> None:
        """
        Add a histogram that was measured elsewhere.

        Args:
            name: Name of the histogram.
            description: What it measures.
            labels: Names of its labels.
            limits: Upper limits of its buckets, without the infinite one.
            series: For each combination of labels their values, the counts of all buckets, and the sum.
        """
        histogram = self._histogram(name, description, labels=labels)
        bounds = [*(str(limit) for limit in limits), "+Inf"]
        for values, counts, total in series:
            histogram.add_metric(values, list(zip(bounds, accumulate(counts), strict=True)), total)
        self._histograms.append(histogram)

    def add_gauge(self, name: str, description: str, value: float) -> None:
        """Add a gauge without labels that was measured elsewhere."""
        self._families.append(self._gauge(name, description, value))

    def add_gauges(
        self, name: str, description: str, labels: tuple[str, ...], series: Iterable[tuple[tuple[str, ...], float]]
    ) -> None:
        """Add a gauge that was measured elsewhere, for each combination of labels their values and its value."""
        self._add(self._gauge(name, description, labels=labels), series)

    def add_counters(
        self, name: str, description: str, labels: tuple[str, ...], series: Iterable[tuple[tuple[str, ...], float]]
    ) -> None:
        """Add a counter that was counted elsewhere; the arguments are those of `add_gauges`."""
        self._add(self._counter(name, description, labels=labels), series)

    def _add(
        self, family: GaugeMetricFamily | CounterMetricFamily, series: Iterable[tuple[tuple[str, ...], float]]
    ) -> None:
        for values, value in series:
            family.add_metric(values, value)
        self._families.append(family)

    async def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        from prometheus_client import generate_latest

        self._measured = {number: await account.measure() for account, number in self._accounts.items()}
        return generate_latest(self.registry)

    # -- samples -----------------------------------------------------------------------------------------------------

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics that are read now; prometheus-client calls this."""
        yield from self._collect_bots()
        yield from self._collect_accounts()
        yield from self._histograms
        yield from self._families

    def _collect_bots(self) -> Iterator[Metric]:
        labels = ("account", "bot")
        events = self._counter("webwx_bot_events", "Events that are done with.", labels=(*labels, "result"))
        failures = self._counter("webwx_bot_failed_attempts", "Attempts at events that have failed.", labels=labels)
        slow = self._counter("webwx_bot_slow_calls", "Calls of handlers that took longer than 30 s.", labels=labels)
        blocked = self._counter(
            "webwx_bot_loop_blocks", "Times that a handler has blocked the event loop for a second.", labels=labels
        )
        unknown = self._counter(
            "webwx_bot_unknown_sends", "Sends with an unknown outcome, which count as made.", labels=labels
        )
        in_flight = self._gauge("webwx_bot_events_in_flight", "Events in memory, handled or waiting.", labels=labels)
        deferred = self._gauge("webwx_bot_events_deferred", "Events that wait for a slow chat.", labels=labels)
        timers = self._gauge("webwx_bot_timers", "Timers that are due again and again.", labels=labels)
        calls = self._counter("webwx_bot_timer_calls", "Calls of timers.", labels=(*labels, "result"))
        for bot, account in self._bots.items():
            values, counts = (account, bot.name), bot.counts
            events.add_metric((*values, "handled"), counts.delivered)
            events.add_metric((*values, "dead"), counts.dead)
            failures.add_metric(values, counts.failed)
            slow.add_metric(values, counts.slow)
            blocked.add_metric(values, counts.blocked)
            unknown.add_metric(values, counts.unknown_sends)
            in_flight.add_metric(values, counts.in_flight)
            deferred.add_metric(values, counts.deferred)
            timers.add_metric(values, len(bot.timers))
            calls.add_metric((*values, "done"), bot.timer_counts.done)
            calls.add_metric((*values, "failed"), bot.timer_counts.failed)
        yield from (events, failures, slow, blocked, unknown, in_flight, deferred, timers, calls)

    def _collect_accounts(self) -> Iterator[Metric]:
        state = self._gauge("webwx_account_state", "1 for the state of the login.", labels=("account", "state"))
        age = self._gauge("webwx_account_sync_age_seconds", "Seconds since the last sync.", labels=("account",))
        poll = self._gauge("webwx_account_poll_seconds", "Seconds that the last poll was held.", labels=("account",))
        wait = self._gauge(
            "webwx_account_rate_limit_wait_seconds", "Seconds until the rate limit allows a message.",
            labels=("account",),
        )  # fmt: skip
        waiting = self._gauge(
            "webwx_account_waiting_calls", "Calls that wait because enough are in flight.", labels=("account",)
        )
        sends = self._gauge("webwx_account_sends", "Stored sends by state.", labels=("account", "state"))
        readable = self._gauge(
            "webwx_account_journal_readable", "0 while the journal cannot be read.", labels=("account",)
        )
        for account, measured in self._measured.items():
            for each in LoginState:
                state.add_metric((account, each.value), each is measured.state)
            if measured.sync_age is not None:
                age.add_metric((account,), measured.sync_age)
            poll.add_metric((account,), measured.last_poll)
            wait.add_metric((account,), measured.rate_limit_wait)
            waiting.add_metric((account,), measured.waiting_calls)
            for name, count in sorted(measured.sends.items()):
                sends.add_metric((account, name), count)
            readable.add_metric((account,), measured.is_journal_readable)
        yield from (state, age, poll, wait, waiting, sends, readable)
