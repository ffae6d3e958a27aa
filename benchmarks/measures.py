"""
Descriptions of the cases' figures, and the targets.

A ratio to the floor or to the peer is made within one round, whose runs have met the same machine; its median over the
rounds is what counts.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarks.case import DRIVER, FLOOR, JOURNALLESS, OURS, PEER, SDK, STATELESS
from benchmarks.pages import MOST_NODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.harness import Round

Beside = Literal["floor", "itchat-uos", "sdk", "stateless", "journalless", "driver", ""]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One figure of one case."""

    case: str
    name: str
    figure: str
    over: Beside = ""
    """Whose figure ours is divided by; empty: it stands for itself."""
    is_inverse: bool = False
    """Theirs is divided by ours."""
    is_difference: bool = False
    """Theirs is subtracted from ours, in place of the division."""
    of: str = ""
    """Another case: by its own median this one's is divided."""
    at_most: float | None = None
    at_least: float | None = None
    is_less_better: bool = True
    carries_over: bool = True
    """It may be compared with another machine's: a ratio, or memory."""
    of_former: float = 1.05
    """Goal beside a former tree on one machine: at most this ratio, or at least its inverse where more is better."""

    def __str__(self) -> str:
        return f"{self.case}: {self.name}"

    @property
    def target(self) -> str:
        """The target in words; empty without a target."""
        if self.at_most is not None:
            return f"<= {self.at_most:,g}"
        return "" if self.at_least is None else f">= {self.at_least:,g}"

    def is_reached(self, value: float) -> bool | None:
        """Return whether a value reaches the target; None without a target."""
        if self.at_most is not None:
            return value <= self.at_most
        return None if self.at_least is None else value >= self.at_least

    def goal_beside_former(self, ratio: float) -> tuple[str, bool]:
        """Return the goal for the ratio of this value to that of a former tree, and whether it is reached."""
        if self.is_less_better:
            return f"<= {self.of_former:,g} x", ratio <= self.of_former
        return f">= {1 / self.of_former:,.2f} x", ratio >= 1 / self.of_former

    def value(self, results: Mapping[str, Sequence[Round]]) -> float | None:
        """Return the median over the rounds; None if a needed case was not run."""
        values = self._values(results.get(self.case, ()))
        if not self.of:
            return statistics.median(values) if values else None
        others = self._values(results.get(self.of, ()))
        return statistics.median(values) / statistics.median(others) if values and others else None

    def _values(self, rounds: Iterable[Round]) -> list[float]:
        values = []
        for each in rounds:
            mine = each.get(OURS, {}).get(self.figure)
            theirs = each.get(self.over, {}).get(self.figure) if self.over else 1.0
            if mine is not None and theirs and self.is_difference:
                values.append(mine - theirs)
            elif mine is not None and theirs:
                values.append(theirs / mine if self.is_inverse else mine / theirs)
        return values

    def is_worse(self, value: float, before: float, tolerance: float) -> bool:
        """Return whether a value is worse than before by more than a tolerance, such as 0.15."""
        if self.is_less_better:
            return value > before * (1 + tolerance)
        return value < before / (1 + tolerance)


def _speed(case: str, over: Beside, at_least: float | None = None, of: str = "") -> Measure:
    name = f"speed / {over}" + (f", beside {of}" if of else "")
    return Measure(case=case, name=name, figure="per_second", over=over, of=of, at_least=at_least, is_less_better=False)


def _rate(case: str, over: Beside, at_least: float | None = None) -> Measure:
    return Measure(
        case=case, name=f"speed / {over}", figure="mb_per_second", over=over, at_least=at_least, is_less_better=False
    )


def _time(case: str, over: Beside, at_most: float | None = None) -> Measure:
    return Measure(case=case, name=f"time / {over}", figure="seconds", over=over, at_most=at_most)


def _cpu(case: str, figure: str, at_most: float | None = None) -> Measure:
    return Measure(case=case, name="CPU / floor", figure=figure, over=FLOOR, at_most=at_most)


def _peak(case: str, at_most: float | None = None) -> Measure:
    return Measure(case=case, name="peak memory, MB more", figure="peak_growth", at_most=at_most)


def _own(case: str, name: str, figure: str, at_most: float, *, carries_over: bool = False) -> Measure:
    return Measure(case=case, name=name, figure=figure, at_most=at_most, carries_over=carries_over)


MEASURES: tuple[Measure, ...] = (
    Measure(case="sends-1", name="p50 / floor", figure="p50_ms", over=FLOOR, at_most=1.25),
    Measure(
        case="sends-1", name="itchat-uos's p50 / ours", figure="p50_ms", over=PEER, is_inverse=True, at_least=4.8,
        is_less_better=False,
    ),
    _cpu("sends-1", "cpu_ms"),
    _speed("sends-16", FLOOR),
    _speed("sends-16", PEER),
    _cpu("sends-16", "cpu_ms"),
    _speed("sends-64", FLOOR),
    _speed("sends-64", PEER, 20),
    _cpu("sends-64", "cpu_ms"),
    _own("sends-64", "CPU per send, ms", "cpu_ms", 0.035),
    _speed("receive-100", FLOOR, 0.8),
    _speed("receive-100", PEER),
    _cpu("receive-100", "cpu_us"),
    _speed("receive-5k", FLOOR, 0.8),
    _speed("receive-5k", FLOOR, 0.9, of="receive-100"),
    _speed("receive-5k", PEER),
    _speed("receive-50k", FLOOR, 0.8),
    _speed("receive-50k", FLOOR, 0.9, of="receive-100"),
    *(
        measure
        for friends in ("100", "5k", "50k")
        for measure in (
            _speed(f"receive-{friends}-journal", FLOOR, 0.3),
            _cpu(f"receive-{friends}-journal", "cpu_us"),
            Measure(
                case=f"receive-{friends}-million", name="messages per second", figure="per_second", at_least=20_000,
                is_less_better=False, carries_over=False,
            ),
            _speed(f"receive-{friends}-million", FLOOR),
            _speed(f"receive-{friends}-million", FLOOR, 0.75, of=f"receive-{friends}-journal"),
            _cpu(f"receive-{friends}-million", "cpu_us"),
        )
    ),
    _speed("stream", FLOOR, 0.28),
    Measure(
        case="stream", name="messages per second", figure="per_second", at_least=20_000, is_less_better=False,
        carries_over=False,
    ),
    _own("stream", "CPU per message, us", "cpu_us", 40),
    *(
        measure
        for engine in ("", "postgres-")
        for rows in ("10k", "million")
        for measure in (
            _own(f"{engine}history-{rows}", "newest 50 of a chat, ms", "newest_ms", 1.5),
            _own(f"{engine}history-{rows}", "50 in the middle of a chat, ms", "middle_ms", 1.5),
            _own(f"{engine}history-{rows}", "50 until a time in the middle, ms", "until_ms", 3),
            _own(f"{engine}history-{rows}", "backlog of 12 consumers, ms", "backlog_ms", 5),
        )
    ),
    _time("login", FLOOR),
    _time("login", PEER, 0.15),
    _cpu("login", "cpu"),
    *(
        measure
        for size, at_least, more in (("50", 1.6, 2), ("300", None, 8))
        for measure in (
            _rate(f"upload-{size}", FLOOR),
            _cpu(f"upload-{size}", "cpu"),
            _rate(f"upload-{size}", PEER, at_least),
            _peak(f"upload-{size}", more),
            _rate(f"download-{size}", FLOOR),
            _cpu(f"download-{size}", "cpu"),
            _rate(f"download-{size}", PEER),
            _peak(f"download-{size}", 8 if size == "300" else None),
        )
    ),
    _own("memory", "above bare imports, MB", "mb_above_imports", 6, carries_over=True),
    _own("account-100", "each further account, MB", "mb_each", 0.10, carries_over=True),
    _own("account-5k", "each further account, MB", "mb_each", 0.6, carries_over=True),
    _own("accounts", "idle CPU, % of a core", "cpu_percent", 4),
    _own("accounts", "loop lag p99, ms", "lag_p99_ms", 5),
    _own("accounts", "resident memory, MB", "mb", 130, carries_over=True),
    Measure(case="logins", name="time / without journal", figure="seconds", over=JOURNALLESS, at_most=2),
    _time("postgres-ingest", DRIVER, at_most=2),
    _own("postgres-send", "p50 until the outcome is stored, ms", "p50_ms", 4),
    _own("cluster-events", "p99 until another process has a text, ms", "p99_ms", 60),
    _own("cluster-streams", "p99 from the commit to a reader of a front end, ms", "p99_ms", 60),
    _own("cluster-sends", "p99 until a text of a front end is sent by its owner, ms", "p99_ms", 60),
    _own("cluster-accounts", "memory of two workers but an idle one / one worker", "mb_ratio", 1.3, carries_over=True),
    _own("cluster-accounts", "CPU of two workers but an idle one / one worker", "cpu_ratio", 1.3),
    _own("postgres-idle", "CPU of PostgreSQL, % of a core", "postgres_percent", 1),
    *(
        measure
        for case in ("gateway-send", "gateway-message")
        for measure in (
            Measure(
                case=case, name="p50 beyond the client's own, ms", figure="p50_ms", over=SDK, is_difference=True,
                at_most=0.7, carries_over=False,
            ),
            Measure(case=case, name="CPU / the client alone", figure="cpu_ms", over=SDK),
        )
    ),
    Measure(
        case="gateway-sends", name="sends per second", figure="per_second", at_least=500, is_less_better=False,
        carries_over=False,
    ),
    Measure(case="gateway-sends", name="CPU / the client alone", figure="cpu_ms", over=SDK),
    Measure(
        case="gateway-webhooks", name="deliveries per second", figure="per_second", at_least=1_000,
        is_less_better=False, carries_over=False,
    ),
    _own("gateway-webhooks", "CPU per delivery, ms", "cpu_ms", 1.0),
    _own("gateway-streams", "p99 until a text reaches a reader, ms", "p99_ms", 50),
    _own("gateway-agent", "p99 from a commit until a waiting tool answers, ms", "p99_ms", 50),
    _own("gateway-agent", "memory that the adapter adds, MB", "added_mb", 60),
    _own("gateway-broadcast", "CPU per text to 200 readers, ms", "event_ms", 6),
    _own("gateway-broadcast", "p99 until a text reaches a reader, ms", "p99_ms", 25),
    _own("gateway-idle", "idle CPU, % of a core", "cpu_percent", 5),
    _own("gateway-idle", "resident memory, MB", "mb", 150, carries_over=True),
    *(
        measure
        for case in ("page-console", "page-phones")
        for measure in (
            _own(case, "most CPU of a task, ms", "longest_cpu_ms", 50),
            _own(case, "longest task above 50 ms by the clock (0: none), ms", "longest_ms", 50),
            _own(case, "largest number of elements", "nodes", MOST_NODES, carries_over=True),
            Measure(case=case, name="begin until the chats are shown, ms", figure="begin_ms"),
            Measure(case=case, name="a chat until its newest message is shown, ms", figure="chat_ms"),
            Measure(case=case, name="scrolling through 2,000 messages and back, ms", figure="scroll_ms"),
        )
    ),
    _own("import", "`import webwx`, ms", "ms", 25),
    Measure(case="import", name="time / Python alone", figure="ms", over=FLOOR),
    Measure(
        case="import-client", name="`from webwx import AsyncClient`, ms", figure="ms", at_most=150, of_former=0.79,
        carries_over=False,
    ),
    Measure(case="import-client", name="time / Python alone", figure="ms", over=FLOOR),
    Measure(
        case="first-message", name="a bot from its start to its first text, ms", figure="ms", at_most=180,
        of_former=0.77, carries_over=False,
    ),
    Measure(case="first-message", name="time / Python alone", figure="ms", over=FLOOR),
    _own("help", "`webwx --help`, ms", "ms", 80),
    Measure(case="help", name="time / Python alone", figure="ms", over=FLOOR),
    _time("day", FLOOR, 1.35),
    _time("day", PEER),
    _cpu("day", "cpu", 4),
    Measure(case="day-state", name="time / without state", figure="seconds", over=STATELESS, at_most=1.15),
    Measure(case="day-state", name="CPU / without state", figure="cpu", over=STATELESS),
)  # fmt: skip
