"""
A truncated answer is an error of ours or has the complete value; it is never a partial value and never a crash.

Five bodies are recorded from a sandbox with many kinds of content. `make verify` truncates each at every byte,
`make test` at some.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.carriers import Counted

from webwx.client.client import AsyncClient
from webwx.errors import ProtocolError, WxError
from webwx.flows import contacts, login, sync
from webwx.model.contacts import Listing
from webwx.model.messages import TextMessage
from webwx.protocol.http import Request, Response
from webwx.protocol.login import TICKET
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.faults import FaultRule
from webwx.sandbox.options import Options
from webwx.storage.login import LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webwx.flows.call import Flow
    from webwx.model.login import Login
    from webwx.sandbox.world import World

    MakeWorld = Callable[..., World]

NOW = 1_560_000_000.0

FLOWS: dict[str, Callable[[Login], Flow[Any]]] = {
    "synccheck": lambda me: sync.check(me, NOW),
    "webwxsync": lambda me: sync.fetch(me, NOW),
    "webwxinit": lambda me: login.open_session(me, NOW),
    "webwxgetcontact": lambda me: contacts.list_contacts(me, NOW),
    "webwxnewloginpage": lambda me: login.exchange_ticket(me, f"{me.hosts.main}{TICKET.path}?ticket=t&uuid=u", "e1"),
}
"""The flow of each body, which is its first answer."""


class Recorder(Counted):
    """Stores the last answer to each call."""

    answers: dict[str, Response]

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        self.answers[request.endpoint] = response
        return response


async def _record(world: World) -> tuple[Login, dict[str, Response]]:
    recorder = Recorder(Loopback(SandboxCore(world)))
    recorder.answers = {}
    store = LoginMemory()
    async with AsyncClient(server="http://sandbox.test", transport=recorder, store=store, clock=world.clock.now) as me:
        await me.login(show_qr=lambda _: None)
        for number in range(12):
            world.say("ahua", "me", f"第{number}句 😀 <b>&")
            world.say("lilei", "周末爬山", '\\ " \n\t')
        world.picture("ahua", "me", b"\x89PNG\r\n\x1a\n")
        world.befriend("me", "ahua", remark="花")
        world.recall("lilei", "周末爬山")
        events = me.events(follow=False)
        await anext(events)
        await events.aclose()
    saved = await store.load()
    assert saved is not None
    world.say("ahua", "me", "one more")
    recorder.answers["synccheck"] = asked(world, sync.check(saved.login, NOW))
    return saved.login, recorder.answers


def asked(world: World, flow: Flow[Any]) -> Response:
    """Return the answer to a flow's first request."""
    request = next(flow)
    flow.close()
    assert isinstance(request, Request)
    answer = SandboxCore(world).answer(request)
    assert isinstance(answer, Response)
    return answer


@pytest.fixture(scope="module")
def recorded(make_world: MakeWorld) -> tuple[Login, dict[str, Response]]:
    world = make_world(options=Options(auto_confirm=True))
    return asyncio.run(_record(world))


def result(flow: Flow[Any], answer: Response) -> Any:
    """Send one answer to a flow, and return the result: a value, a further request, or an error of ours."""
    next(flow)
    try:
        return flow.send(answer)  # A further request: this answer was accepted as complete.
    except StopIteration as end:
        return end.value
    except WxError as error:
        return error
    finally:
        flow.close()


def truncate_everywhere(name: str, recorded: tuple[Login, dict[str, Response]], places: Iterable[int]) -> int:
    """Truncate a body at many places, and return their number."""
    me, answers = recorded
    answer = answers[name]
    whole = result(FLOWS[name](me), answer)
    assert not isinstance(whole, WxError)
    count = 0
    for place in places:
        got = result(FLOWS[name](me), msgspec.structs.replace(answer, body=answer.body[:place]))
        # A truncated answer may lack trailing whitespace only; otherwise it must not be accepted as complete.
        if not answer.body[place:].strip():
            assert got == whole or shows(got) == shows(whole)
        else:
            assert isinstance(got, WxError) or is_complete(name, answer.body[:place], got, whole), (place, got)
        count += 1
    return count


def shows(value: Any) -> str:
    return repr([bytes(raw) for raw in value.raws] if isinstance(value, Listing) else value)


def is_complete(name: str, body: bytes, got: Any, whole: Any) -> bool:
    """
    Return whether a truncated answer that was accepted has every value that is needed.

    synccheck and the ticket are not JSON; their grammars search for the values that they need.
    """
    if name == "synccheck":
        return bool(got == whole) and b"retcode" in body
    return name == "webwxnewloginpage" and shows(got) == shows(whole)


@pytest.mark.parametrize("name", FLOWS)
def test_no_truncated_answer_is_accepted_as_complete(name: str, recorded: tuple[Login, dict[str, Response]]) -> None:
    size = len(recorded[1][name].body)
    dice = random.Random(name)
    truncate_everywhere(name, recorded, sorted(dice.sample(range(size), min(size, 150))))


@pytest.mark.verify
def test_at_every_byte_of_every_body(recorded: tuple[Login, dict[str, Response]]) -> None:
    sizes = {name: len(recorded[1][name].body) for name in FLOWS}
    cases = {name: truncate_everywhere(name, recorded, range(size)) for name, size in sizes.items()}
    print("truncated answers:", sum(cases.values()), "cases,", cases)
    assert sum(cases.values()) >= 15_000


def client_of(world: World, store: LoginMemory) -> AsyncClient:
    return AsyncClient(
        server="http://sandbox.test", transport=Loopback(SandboxCore(world)), store=store, clock=world.clock.now
    )


@pytest.mark.parametrize("stride", [61, pytest.param(1, marks=pytest.mark.verify)])
def test_nothing_of_a_truncated_batch_is_stored(stride: int, make_world: MakeWorld) -> None:
    async def run() -> None:
        world = make_world(options=Options(auto_confirm=True))
        store = LoginMemory()
        async with client_of(world, store) as me:
            await me.login(show_qr=lambda _: None)
            for number in range(5):
                world.say("ahua", "me", f"第{number}句")
            before = await store.load()
            assert before is not None
            size = len(asked(world, sync.fetch(before.login, NOW)).body.rstrip())
            for place in range(0, size, stride):
                rule = world.faults.add(
                    FaultRule(fault="truncated", endpoint="webwxsync", times=1, options={"at": place})
                )
                got = []
                with suppress(ProtocolError):  # Faster than `pytest.raises`, thousands of times.
                    got = [event async for event in me.events(follow=False)]
                saved = await store.load()
                assert saved is not None
                assert (got, rule.is_used_up) == ([], True)
                assert (saved.login.fetch_key, saved.pending) == (before.login.fetch_key, ())
            texts = [event.text async for event in me.events(follow=False) if isinstance(event, TextMessage)]
            assert texts == [f"第{number}句" for number in range(5)]

    asyncio.run(run())
