"""
A case to measure, the world that the reference server has for it, and one run of it in a process of its own.

A case has a few variants: `ours`, the `floor` (a raw TLS socket that does the same requests), and the peer. Their code
imports what it measures itself, inside the function, so that no process has more in it than it needs.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.memory import peak, reset_peak

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

OURS: Final = "ours"
FLOOR: Final = "floor"
PEER: Final = "itchat-uos"
SDK: Final = "sdk"
"""The client alone, without the gateway that the case is about."""
STATELESS: Final = "stateless"
"""Ours again, without the conversation state that the case is about."""
JOURNALLESS: Final = "journalless"
"""Ours again, without a journal."""
DRIVER: Final = "driver"
"""The driver of the database alone, with the statement that the case is about."""

PREPARE = "prepare"
"""Named in place of a variant: the case's `prepare`."""

Figures = dict[str, float]
"""What a run has measured, by name; seconds and MB unless the name says something else."""


class Late(NamedTuple):
    """A latency far above the others, and what the probes beside it have measured in its time."""

    at: float
    """Seconds from the begin of the probes to its own."""
    ms: float
    sync_ms: float
    """The longest `fdatasync`."""
    core_ms: float
    """All waits of a process for its core, on the core where they were longer."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Contents of the reference server."""

    friends: int = 100
    """Of every account."""
    chatrooms: int = 0
    members: int = 0
    """Of each chatroom."""
    texts: int = 0
    """Number of texts that wait to be fetched once a run has released them."""
    pictures: int = 0
    """Among the texts."""
    files: int = 0
    """Behind the texts."""
    file_size: int = 0
    batch: int = 100
    """Messages in one answer."""
    hold: float = 25.0
    """Seconds a poll is held when nothing waits."""
    rate: float = 0.0
    """Texts that come in a second, one by one; 0: all wait already."""
    shares: int = 1
    """Equal shares of the texts that come; each account gets one of them."""
    is_ascending: bool = False
    """Message ids grow; else they come in random order."""

    def scaled(self, scale: float) -> World:
        """Return a smaller world."""
        sizes = ("friends", "chatrooms", "members", "texts", "pictures", "file_size", "shares")
        changes: dict[str, Any] = {name: scaled(getattr(self, name), scale) for name in sizes}
        return dataclasses.replace(self, hold=max(0.2, self.hold * min(1.0, scale)), **changes)


def scaled(number: int, scale: float) -> int:
    """Return a scaled number, at least 1 unless the number is 0."""
    return max(1, round(number * scale)) if number else 0


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case to measure."""

    name: str
    about: str
    variants: Mapping[str, Callable[[Run], Figures]]
    world: World = World()
    count: int = 1
    """How many of what the case does: sends, accounts, files."""
    in_flight: int = 1
    rows: int = 0
    """Messages that are in the journal before."""
    axis: str = ""
    """What this case has more or less of than its neighbours: it is a point of a plot, and run only when asked for."""
    at: float = 0.0
    """How much of that."""
    journal: bool = False
    """What comes goes through a journal."""

    prepare: Callable[[Run], object] | None = None
    """Makes in `shared` what must be there first, when it is not."""

    def scaled(self, scale: float) -> Case:
        """Return the same case with smaller numbers."""
        return dataclasses.replace(
            self,
            world=self.world.scaled(scale),
            count=scaled(self.count, scale),
            in_flight=scaled(self.in_flight, min(1.0, scale * 10)),
            rows=scaled(self.rows, scale),
        )

    @property
    def numbers(self) -> dict[str, Any]:
        """How much it does, as JSON."""
        world = dataclasses.asdict(self.world)
        return {"world": world, "count": self.count, "in_flight": self.in_flight, "rows": self.rows}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a case, in a process of its own, against a server in another one."""

    case: Case
    port: int
    """Where the server speaks TLS on 127.0.0.1."""
    control: int
    """Where it tells what it has done."""
    ca_file: str
    folder: Path
    """For this run alone."""
    shared: Path
    """For what is made once, such as a journal with a million rows."""
    late: list[Late] = dataclasses.field(default_factory=list)
    """The latencies far above the others that the case has found."""

    @property
    def url(self) -> str:
        """The server's origin."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def world(self) -> World:
        """Contents of the server."""
        return self.case.world

    def at(self, world: World, where: Mapping[str, Any]) -> Run:
        """Return this run with another server."""
        return dataclasses.replace(self, case=dataclasses.replace(self.case, world=world), **where)

    def ask_server(self, word: str) -> dict[str, Any]:
        """
        Send a command to the server, outside the protocol, and return its state.

        Args:
            word: `release` what waits, `forget` which accounts have polled, or `tell` the state alone.
        """
        with socket.create_connection(("127.0.0.1", self.control)) as line:
            line.sendall(f"{word}\n".encode())
            with line.makefile() as answer:
                state: dict[str, Any] = json.loads(answer.readline())
        return state

    def meter(self) -> Meter:
        """Measure a block of this run; what waits at the server is released when it begins."""
        return Meter(self)


class Meter:
    """Wall time, CPU of both sides and memory of a block."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.figures: Figures = {}

    def __enter__(self) -> Self:
        reset_peak()
        self._peak = peak()
        self._server = self._run.ask_server("release")["cpu"]
        self._cpu, self._begun = time.process_time(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds, cpu = time.perf_counter() - self._begun, time.process_time() - self._cpu
        self.figures = {
            "seconds": seconds,
            "cpu": cpu,
            "server_cpu": self._run.ask_server("tell")["cpu"] - self._server,
            # Linux counts pages for each core by itself, and may report a smaller maximum than before.
            "peak_growth": max(0.0, peak() - self._peak),
        }
