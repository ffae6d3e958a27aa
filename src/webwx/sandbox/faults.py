"""
The catalogue of faults, and the set of faults that are on.

`CATALOGUE` is the one table of faults: the control API, the command line, the documentation page and the tests are
derived from it. A fault is on for some calls or all, a number of times or with a probability, or in order in a script.
Every set has a seed, and with the same seed the same calls meet the same faults: each fault has its own rng for each
call, so the order of a client's calls does not matter.
"""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import dataclass, field
from difflib import get_close_matches
from random import Random, SystemRandom
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.protocol import ENDPOINTS
from webwx.sandbox import answer_faults as answers
from webwx.sandbox import connection_faults as lines
from webwx.sandbox.answer_faults import AnswerFault
from webwx.sandbox.connection_faults import AtAnswer, AtConnect, AtRequest, ConnectionFault, Handshake, Repeat, Throttle
from webwx.sandbox.errors import Impossible
from webwx.sandbox.subscribers import Subscribers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from webwx.sandbox.connection_faults import Steps

Fault = AnswerFault | ConnectionFault
F = TypeVar("F", bound=AnswerFault | ConnectionFault)


def name_of(fault: Fault | type[Fault]) -> str:
    """Return a fault's name in the catalogue."""
    return str(fault.__struct_config__.tag)


class NoFault(ConnectionFault, frozen=True, kw_only=True, tag="nothing"):
    """The request succeeds; for scripts."""


CATALOGUE: dict[str, tuple[type[Fault], ...]] = {
    "Any call": (
        answers.RefusedByNumber, answers.HtmlPage, answers.HttpStatus, answers.Unavailable, answers.RedirectNowhere,
        answers.RedirectAway, answers.ForeignJson, answers.NoRet, answers.NoMessageId, answers.Empty, answers.Truncated,
        answers.WrongCharset, answers.NoContentType, answers.GzipWrong, answers.GzipBomb, answers.WrongClock, NoFault,
    ),
    "Poll and sync": (
        answers.StickySelector, answers.UnknownSelector, answers.RepeatedKey, answers.NullKey, answers.EmptyKey,
        answers.ShrunkKey, answers.RewoundKey, answers.ReorderedKey, answers.NoCheckKey, answers.ContinueRun,
        answers.ContinueForever, answers.IncompleteList, answers.DoubledBatch, answers.ShuffledBatch,
        answers.MessageId, answers.SameId, answers.Flood, answers.UnknownChatroom, answers.UnknownMember,
        answers.RecallWithoutId, answers.RotatedKey,
    ),
    "Contacts": (
        answers.ContactLoop, answers.NoSeq, answers.NullList, answers.LostContacts, answers.ManyContacts,
        answers.CutBatch, answers.LostMembers,
    ),
    "Login and session": (
        answers.Evicted, answers.PhoneLogout, answers.PhoneOffline, answers.RotatedCookies, answers.NoTicket,
    ),
    "Media": (
        answers.MediaEmpty, answers.MediaGone, answers.MediaPage, lines.MediaCut, answers.MediaPartial,
        lines.MediaLate, answers.RecalledFirst,
    ),
    "Connection": (
        lines.PortClosed, lines.ResetAtConnect, lines.ResetBefore, lines.ResetAfter, lines.ResetMidway,
        lines.ClosedInHead, lines.ClosedInBody, lines.Blackhole, lines.LostAnswer, lines.LateAnswer,
        lines.StaleConnection, lines.GarbageStatus, lines.BareBody, lines.WrongLength, lines.EndlessChunks,
        lines.AnswerTwice, lines.RequestTwice, lines.Latency, lines.Sliced, lines.Slow,
    ),
    "TLS": (lines.TlsWrongHost, lines.TlsExpired, lines.TlsSelfSigned),
}  # fmt: skip
"""All faults, in the order of the documentation."""

FAULTS: dict[str, type[Fault]] = {name_of(kind): kind for kinds in CATALOGUE.values() for kind in kinds}
"""The catalogue by name."""

ANSWER_FAULTS = (AnswerFault, NoFault)
"""Kinds of faults that the core of a server can inject."""
CONNECTION_FAULTS = (AtConnect, AtRequest, AtAnswer, Throttle, Repeat, NoFault)
"""Kinds of faults that need a connection."""

_PLACES: dict[type, str] = {Handshake: "TLS", ConnectionFault: "connection", AnswerFault: "answer"}

_EXCLUSIVE_KINDS: tuple[type, ...] = (AtRequest, AtAnswer, Repeat)
"""Groups of kinds; only one fault of a group can happen to a request."""


# -- rules and descriptions ------------------------------------------------------------------------------------------


class FaultRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that turns a fault on for some calls."""

    fault: str
    """Name of the fault in the catalogue."""
    endpoint: str = ""
    """The call it applies to; empty: the calls that the fault is meant for."""
    times: int | None = None
    """Number of calls it applies to; None: until it is removed."""
    probability: float = 1.0
    """Probability that the fault happens to a call."""
    options: dict[str, str | int | float | bool] = {}

    @classmethod
    def read(cls, text: str) -> FaultRule:
        """
        Parse `NAME[:OPTION=VALUE[,OPTION=VALUE]][@PROBABILITY]`, where `endpoint` and `times` are options too.

        Raises:
            Impossible: The text does not have this form.
        """
        body, at, tail = text.strip().rpartition("@")
        probability = 1.0
        try:
            probability = float(tail) if at else 1.0
        except ValueError:
            at = ""  # it belongs to an option, such as an address
        name, _, rest = (body if at else text.strip()).partition(":")
        options: dict[str, str | int | float | bool] = {}
        for part in filter(None, rest.split(",")):
            option, equals, value = part.partition("=")
            if not equals:
                raise Impossible(f"The option {part!r} has no value: write {name}:{part}=VALUE.")
            options[option.strip()] = value
        times = str(options.pop("times", ""))
        if times and not (times.isdecimal() and int(times)):
            raise Impossible(f"times cannot be {times!r}; give 1 or more.")
        return cls(
            fault=name.strip(),
            endpoint=str(options.pop("endpoint", "")),
            times=int(times) if times else None,
            probability=probability,
            options=options,
        )


class FaultDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue."""

    name: str
    does: str
    """Effect of the fault, in one sentence."""
    section: str
    where: str
    """Place of the fault: `answer` (the server's core), `connection` (its port or a fault proxy) or `TLS`."""
    calls: list[str]
    """The calls it is meant for; empty: every call."""
    options: dict[str, str | int | float]
    """Options with their default values."""


def describe(kind: type[Fault], section: str) -> FaultDescription:
    """Describe a fault, from its docstring and fields."""
    return FaultDescription(
        name=name_of(kind),
        does=(inspect.getdoc(kind) or "").splitlines()[0],
        section=section,
        where=next(place for base, place in _PLACES.items() if issubclass(kind, base)),
        calls=sorted(kind.calls),
        options={field.name: field.default for field in msgspec.structs.fields(kind)},
    )


def catalogue(kinds: tuple[type, ...] = (AnswerFault, ConnectionFault)) -> list[FaultDescription]:
    """Describe every fault of the given kinds."""
    return [
        describe(kind, section) for section, listed in CATALOGUE.items() for kind in listed if issubclass(kind, kinds)
    ]


def make_fault(name: str, options: Mapping[str, object]) -> Fault:
    """
    Create a fault by its name; options may be texts.

    Raises:
        Impossible: There is no such fault, or an option is not valid.
    """
    kind = FAULTS.get(name.replace("-", "_"))
    if kind is None:
        near = " or ".join(get_close_matches(name.replace("-", "_"), FAULTS))
        hint = f"did you mean {near}?" if near else "'webwx phone faults' lists them."
        raise Impossible(f"There is no fault {name!r}; {hint}")
    known = [field.name for field in msgspec.structs.fields(kind)]
    for option in options:
        if option not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise Impossible(f"The fault {name!r} has no option {option!r}; {has}.")
    try:
        return msgspec.convert(options, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Impossible(f"The fault {name!r} has an invalid option: {error}.", "bad-option") from None


# -- what is on ------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class ActiveRule:
    """An active rule, and how often it has matched."""

    number: int
    fault: Fault
    endpoint: str
    times: int | None
    probability: float
    hits: int = 0
    """Number of times that the fault has happened."""
    rng: dict[str, Random] = field(default_factory=dict, repr=False)
    """Random number generators by call."""

    @property
    def name(self) -> str:
        """The fault's name."""
        return name_of(self.fault)

    @property
    def is_used_up(self) -> bool:
        """Whether the fault has happened as often as the rule allows."""
        return self.times is not None and self.hits >= self.times

    def concerns(self, call: str) -> bool:
        """Return whether it applies to a call."""
        return call == self.endpoint if self.endpoint else not self.fault.calls or call in self.fault.calls


@dataclass(frozen=True, kw_only=True)
class InjectedFault:
    """A fault that happens to one request."""

    fault: Fault
    rng: Random


class FaultInjector:
    """
    The active faults, and the random numbers that decide when they happen.

    Args:
        kinds: Kinds of faults that can happen here.
        seed: Seed of every rng; None uses a random one.
    """

    def __init__(self, kinds: tuple[type, ...] = ANSWER_FAULTS, *, seed: int | None = None) -> None:
        self.seed = SystemRandom().randrange(2**32) if seed is None else seed
        """Seed: with the same one, the same calls meet the same faults."""
        self.kinds = kinds
        """Kinds of faults that can happen here."""
        self._rules: list[ActiveRule] = []
        self._script: list[ActiveRule] = []
        self._made = 0
        self.hits: Counter[str] = Counter()
        """How often each fault has happened since the last reset, by its name."""
        self._subscribers: Subscribers[()] = Subscribers()

    def subscribe(self, callback: Callable[[], object]) -> Callable[[], None]:
        """
        Call back when a fault happens or the active faults change.

        Returns:
            A function that ends the subscription.
        """
        return self._subscribers.add(callback)

    @property
    def rules(self) -> tuple[ActiveRule, ...]:
        """Active rules, in the order in which they were added."""
        return tuple(self._rules)

    @property
    def script(self) -> tuple[ActiveRule, ...]:
        """Remaining faults of the script, in order."""
        return tuple(self._script)

    def add(self, rule: FaultRule | str) -> ActiveRule:
        """
        Turn a fault on.

        Args:
            rule: The rule, or its text (`FaultRule.read`).

        Raises:
            Impossible: There is no such fault, option or call, or it cannot happen here.
        """
        active = self._active(rule)
        self._rules.append(active)
        self._subscribers.notify()
        return active

    def remove(self, number: int) -> None:
        """
        Remove an active fault, or a fault of the script.

        Raises:
            Impossible: There is no active fault with this number.
        """
        if number not in {rule.number for rule in (*self._rules, *self._script)}:
            raise Impossible(f"No active fault has the number {number}.", "not-on")
        self._rules = [rule for rule in self._rules if rule.number != number]
        self._script = [rule for rule in self._script if rule.number != number]
        self._subscribers.notify()

    def reseed(self, seed: int | None = None) -> None:
        """
        Seed every rng again, so that active and future faults happen as before.

        Args:
            seed: Seed of every rng; None uses a random one.
        """
        self.seed = SystemRandom().randrange(2**32) if seed is None else seed
        rules = (*self._rules, *self._script)
        for number, rule in enumerate(rules, start=1):
            rule.number = number
            rule.rng.clear()
        self._made = len(rules)
        self._subscribers.notify()

    def follow(self, rules: Iterable[FaultRule | str]) -> None:
        """
        Replace the script: its faults happen one after the other, once each unless a rule says how often.

        Raises:
            Impossible: A fault is not valid.
        """
        script = [self._active(rule) for rule in rules]
        for rule in script:
            rule.times = rule.times or 1
        self._script = script
        self._subscribers.notify()

    def reset(self) -> None:
        """Turn everything off."""
        self._rules.clear()
        self._script.clear()
        self.hits.clear()
        self._subscribers.notify()

    def match(self, kinds: tuple[type, ...], call: str = "") -> tuple[InjectedFault, ...]:
        """
        Return the faults that happen to a request, and count them.

        Args:
            kinds: Kinds of faults that can happen to it.
            call: Name of the call; empty if it is not known yet.
        """
        if not self._rules and not self._script:
            return ()
        hits: list[InjectedFault] = []
        taken: set[object] = set()
        for rule in [*self._script[:1], *self._rules]:
            if not isinstance(rule.fault, kinds) or not rule.concerns(call):
                continue
            place = _place(rule.fault)
            rng = self._rng(rule, call)
            if place in taken or (rule.probability < 1 and rng.random() >= rule.probability):
                continue
            rule.hits += 1
            self.hits[rule.name] += 1
            hits.append(InjectedFault(fault=rule.fault, rng=rng))
            if place is not None:
                taken.add(place)
        self._rules = [rule for rule in self._rules if not rule.is_used_up]
        self._script = [rule for rule in self._script if not rule.is_used_up]
        if hits:
            self._subscribers.notify()
        return tuple(hits)

    def _rng(self, rule: ActiveRule, call: str) -> Random:
        if call not in rule.rng:
            rule.rng[call] = Random(f"{self.seed}/{rule.number}/{call}")  # noqa: S311 - no secret
        return rule.rng[call]

    def _active(self, rule: FaultRule | str) -> ActiveRule:
        rule = FaultRule.read(rule) if isinstance(rule, str) else rule
        fault = make_fault(rule.fault, rule.options)
        if not isinstance(fault, self.kinds):
            raise Impossible(f"The fault {rule.fault!r} cannot happen here: {_needs(fault)}.", "not-here")
        names = [endpoint.name for endpoint in ENDPOINTS]
        if rule.endpoint and rule.endpoint not in names:
            near = " or ".join(get_close_matches(rule.endpoint, names))
            hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}."
            raise Impossible(f"There is no call {rule.endpoint!r}; {hint}")
        if rule.endpoint and isinstance(fault, AtConnect | Handshake):
            raise Impossible(
                f"The fault {rule.fault!r} happens before a call is known, so it cannot be limited to one.",
                "not-for-a-call",
            )
        if not 0 < rule.probability <= 1:
            raise Impossible("A probability must be more than 0 and at most 1.", "bad-probability")
        if rule.times is not None and rule.times < 1:
            raise Impossible("times must be 1 or more.", "bad-times")
        self._made += 1
        return ActiveRule(
            number=self._made, fault=fault, endpoint=rule.endpoint, times=rule.times, probability=rule.probability
        )


def of_kind(hits: Iterable[InjectedFault], kind: type[F]) -> list[tuple[F, Random]]:
    """Return the faults of a kind, each with its rng."""
    return [(hit.fault, hit.rng) for hit in hits if isinstance(hit.fault, kind)]


def steps_of(answer: bytes, hits: Iterable[InjectedFault]) -> Steps:
    """Return the steps in which an answer is sent."""
    hits = tuple(hits)
    steps: Steps = iter((answer,))
    instead = of_kind(hits, AtRequest)
    if instead:
        steps = instead[0][0].steps()
    else:
        for line, rng in of_kind(hits, AtAnswer):
            steps = line.steps(answer, rng)
    for pace, rng in of_kind(hits, Throttle):
        steps = pace.paced(steps, rng)
    return steps


def _place(fault: Fault) -> object:
    """Return the group of a fault; None without a group. Only one fault of a group can happen to a request."""
    if isinstance(fault, AnswerFault):
        return AnswerFault if fault.is_whole else None
    return next((kind for kind in _EXCLUSIVE_KINDS if isinstance(fault, kind)), None)


def _needs(fault: Fault) -> str:
    if isinstance(fault, Handshake):
        return "it needs TLS, as in 'webwx sandbox --tls'"
    if isinstance(fault, ConnectionFault):
        return "it needs a connection, and this server has no port"
    return "only the sandbox itself can inject it"
