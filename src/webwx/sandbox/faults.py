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
from webwx.sandbox import bad_answers as answers
from webwx.sandbox import bad_lines as lines
from webwx.sandbox.bad_answers import BadAnswer
from webwx.sandbox.bad_lines import AtAnswer, AtConnect, AtRequest, BadLine, Handshake, Repeat, Throttle
from webwx.sandbox.errors import Impossible
from webwx.sandbox.subscribers import Subscribers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from webwx.sandbox.bad_lines import Steps

Fault = BadAnswer | BadLine
F = TypeVar("F", bound=BadAnswer | BadLine)


def name_of(fault: Fault | type[Fault]) -> str:
    """Return a fault's name in the catalogue."""
    return str(fault.__struct_config__.tag)


class NoFault(BadLine, frozen=True, kw_only=True, tag="nothing"):
    """A request succeeds; for scripts."""


CATALOGUE: dict[str, tuple[type[Fault], ...]] = {
    "Any call": (
        answers.RefusedByNumber, answers.HtmlPage, answers.HttpStatus, answers.Unavailable, answers.RedirectNowhere,
        answers.RedirectAway, answers.ForeignJson, answers.NoRet, answers.NoMessageId, answers.Empty, answers.Truncated,
        answers.WrongCharset, answers.NoContentType, answers.GzipWrong, answers.GzipBomb, answers.WrongClock, NoFault,
    ),
    "Poll and sync": (
        answers.StickySelector, answers.UnknownSelector, answers.RepeatedKey, answers.NullKey, answers.EmptyKey,
        answers.ShrunkKey, answers.ReorderedKey, answers.NoCheckKey, answers.ContinueRun, answers.ContinueForever,
        answers.DoubledBatch, answers.ShuffledBatch, answers.MessageId, answers.SameId, answers.Flood,
        answers.UnknownChatroom, answers.UnknownMember, answers.RecallWithoutId, answers.RotatedKey,
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
"""Everything that can go wrong, by where it does."""

FAULTS: dict[str, type[Fault]] = {name_of(kind): kind for kinds in CATALOGUE.values() for kind in kinds}
"""The catalogue by name."""

SAID = (BadAnswer, NoFault)
"""What a server's core can do by itself."""
CARRIED = (AtConnect, AtRequest, AtAnswer, Throttle, Repeat, NoFault)
"""What needs a connection."""

_PLACES: dict[type, str] = {Handshake: "TLS", BadLine: "connection", BadAnswer: "answer"}

_ONE_OF_A_KIND: tuple[type, ...] = (AtRequest, AtAnswer, Repeat)
"""Two of these cannot happen to one request."""


# -- rules and descriptions ------------------------------------------------------------------------------------------


class FaultRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that turns a fault on for some calls."""

    fault: str
    """Its name in the catalogue."""
    endpoint: str = ""
    """The call it is for; empty: the calls it is meant for."""
    times: int | None = None
    """For how many of them; None: until it is taken off."""
    probability: float = 1.0
    """How likely it is for each."""
    options: dict[str, str | int | float | bool] = {}

    @classmethod
    def read(cls, text: str) -> FaultRule:
        """
        Read `NAME[:OPTION=VALUE[,OPTION=VALUE]][@PROBABILITY]`, where `endpoint` and `times` are options too.

        Raises:
            Impossible: It does not read like that.
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
            raise Impossible(f"A fault happens once or more often, and {times!r} is no such number.")
        return cls(
            fault=name.strip(),
            endpoint=str(options.pop("endpoint", "")),
            times=int(times) if times else None,
            probability=probability,
            options=options,
        )


class FaultDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the catalogue."""

    name: str
    does: str
    """What it does, in one sentence."""
    section: str
    where: str
    """`answer`: the server says it, `connection`: its port or a fault proxy does it, `TLS`: its port with TLS."""
    calls: list[str]
    """The calls it is meant for; empty: every call."""
    options: dict[str, str | int | float]
    """With their defaults."""


def describe(kind: type[Fault], section: str) -> FaultDescription:
    """Describe a fault, in its own words."""
    return FaultDescription(
        name=name_of(kind),
        does=(inspect.getdoc(kind) or "").splitlines()[0],
        section=section,
        where=next(place for base, place in _PLACES.items() if issubclass(kind, base)),
        calls=sorted(kind.calls),
        options={field.name: field.default for field in msgspec.structs.fields(kind)},
    )


def catalogue(kinds: tuple[type, ...] = (BadAnswer, BadLine)) -> list[FaultDescription]:
    """Describe every fault of the catalogue that is of one of the kinds."""
    return [
        describe(kind, section) for section, listed in CATALOGUE.items() for kind in listed if issubclass(kind, kinds)
    ]


def make_fault(name: str, options: Mapping[str, object]) -> Fault:
    """
    Make a fault by its name; options may be texts.

    Raises:
        Impossible: There is no such fault, or it cannot have such options.
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
        raise Impossible(f"The fault {name!r} cannot be like that: {error}.", "bad-option") from None


# -- what is on ------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class ActiveRule:
    """A rule that is on, and how often it has matched."""

    number: int
    fault: Fault
    endpoint: str
    times: int | None
    probability: float
    hits: int = 0
    """How often it has happened."""
    rng: dict[str, Random] = field(default_factory=dict, repr=False)
    """Of each call."""

    @property
    def name(self) -> str:
        """The fault's name."""
        return name_of(self.fault)

    @property
    def is_used_up(self) -> bool:
        """It has happened as often as it should."""
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
    The faults that are on, and the random numbers that decide.

    Args:
        kinds: What can happen here.
        seed: Of every rng; None picks one at random.
    """

    def __init__(self, kinds: tuple[type, ...] = SAID, *, seed: int | None = None) -> None:
        self.seed = SystemRandom().randrange(2**32) if seed is None else seed
        """Seed: with the same one, the same calls meet the same faults."""
        self.kinds = kinds
        """What can happen here."""
        self._rules: list[ActiveRule] = []
        self._script: list[ActiveRule] = []
        self._made = 0
        self.hits: Counter[str] = Counter()
        """How often each fault has happened since the last reset, by its name."""
        self._subscribers: Subscribers[()] = Subscribers()

    def subscribe(self, callback: Callable[[], object]) -> Callable[[], None]:
        """
        Call back whenever a fault happens, or others are on.

        Returns:
            What ends the subscription.
        """
        return self._subscribers.add(callback)

    @property
    def rules(self) -> tuple[ActiveRule, ...]:
        """What is on, in the order it was asked for."""
        return tuple(self._rules)

    @property
    def script(self) -> tuple[ActiveRule, ...]:
        """What is still to come, one after the other."""
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

    def take_off(self, number: int) -> None:
        """
        Turn one fault off, or take it out of the script.

        Raises:
            Impossible: None of that number is on.
        """
        if number not in {rule.number for rule in (*self._rules, *self._script)}:
            raise Impossible(f"No fault of the number {number} is on.", "not-on")
        self._rules = [rule for rule in self._rules if rule.number != number]
        self._script = [rule for rule in self._script if rule.number != number]
        self._subscribers.notify()

    def reseed(self, seed: int | None = None) -> None:
        """
        Seed every rng again, so that active and future faults happen as before.

        Args:
            seed: Seed of every rng; None picks one at random.
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
        Lay down a script in place of the present one: each fault in its turn, once unless it says how often.

        Raises:
            Impossible: One of them cannot be.
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
            kinds: What can happen to it.
            call: Its name; empty where none is known yet.
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
                f"The fault {rule.fault!r} happens before any call is made, so it cannot be for one call.",
                "not-for-a-call",
            )
        if not 0 < rule.probability <= 1:
            raise Impossible("A probability is more than 0 and at most 1.", "bad-probability")
        if rule.times is not None and rule.times < 1:
            raise Impossible("A fault happens once or more often.", "bad-times")
        self._made += 1
        return ActiveRule(
            number=self._made, fault=fault, endpoint=rule.endpoint, times=rule.times, probability=rule.probability
        )


def of_kind(hits: Iterable[InjectedFault], kind: type[F]) -> list[tuple[F, Random]]:
    """Return the faults of a kind, each with its rng."""
    return [(hit.fault, hit.rng) for hit in hits if isinstance(hit.fault, kind)]


def steps_of(answer: bytes, hits: Iterable[InjectedFault]) -> Steps:
    """Return the steps of an answer on a connection."""
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
    """Return the slot at a request that only one fault can take, if it takes one."""
    if isinstance(fault, BadAnswer):
        return BadAnswer if fault.is_whole else None
    return next((kind for kind in _ONE_OF_A_KIND if isinstance(fault, kind)), None)


def _needs(fault: Fault) -> str:
    if isinstance(fault, Handshake):
        return "it needs TLS, as of 'webwx sandbox --tls'"
    if isinstance(fault, BadLine):
        return "it needs a connection, and this server has no port"
    return "only the sandbox itself can say such things"
