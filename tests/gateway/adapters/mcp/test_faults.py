"""
Each fault of the catalogue under the tools: no failure looks like a success, and nothing is sent twice.

The sandbox is a server on a port of this machine, and the account reaches it over the network.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.carriers import Counted
from tests.gateway.adapters.mcp.conftest import agent_of
from tests.gateway.cluster_nodes import node
from tests.gateway.conftest import PATIENCE, HoldingLoopback

from webwx.protocol.messages import RECALL, STATUSNOTIFY, TEXT
from webwx.sandbox.faults import FAULTS, FaultRule
from webwx.sandbox.serve import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.failing_disk import FailingDisk
    from tests.gateway.adapters.mcp.conftest import AgentHere, MakeAgent
    from tests.gateway.conftest import Running, StartGateway
    from tests.postgres import TemporarySchema

    from webwx.gateway.adapters.mcp.tool_table import ToolAnswer
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.serve import RunningSandbox

SENDING = {
    "ret:ret=-1": "refused", "ret:ret=1": "refused", "ret:ret=3": "refused", "ret:ret=-14": "logged_out",
    "ret:ret=1100": "logged_out", "ret:ret=1101": "logged_out", "ret:ret=1102": "logged_out",
    "ret:ret=1201": "refused", "ret:ret=1203": "refused", "ret:ret=1204": "refused", "ret:ret=1205": "too_many",
    "ret:ret=9999": "refused", "evicted": "logged_out", "phone_logout": "logged_out", "phone_offline": "refused",
    "html_page": "unknown", "status": "unknown", "unavailable": "unknown", "redirect_nowhere": "unknown",
    "redirect_away": "unknown", "foreign_json": "unknown", "no_ret": "unknown", "no_message_id": "unknown",
    "empty": "unknown", "truncated:at=20": "unknown", "gzip_wrong": "unknown", "gzip_bomb:mebibytes=32": "unknown",
    "wrong_charset": "sent", "no_content_type": "sent", "wrong_clock": "sent", "nothing": "sent",
    "refused:seconds=0.05": "unknown", "reset_before": "unknown", "reset_after": "unknown", "reset_midway": "unknown",
    "closed_in_head": "unknown", "closed_in_body": "unknown", "blackhole": "unknown", "lost_answer": "unknown",
    "late_answer": "unknown", "late_answer:seconds=0.01": "sent", "garbage_status": "unknown", "http_0_9": "unknown",
    "wrong_length": "unknown", "endless_chunks": "unknown", "answer_twice": "sent", "request_twice": "sent",
    "latency:seconds=0.02,jitter=0.01": "sent", "sliced": "sent", "slow:rate=100000": "sent",
    "stale_connection": "sent",
}  # fmt: skip
"""What a send answers when a fault happens to its request."""

BESIDE = (
    *(name for name, kind in FAULTS.items() if kind.calls and TEXT.name not in kind.calls and name != "flood"),
    "flood:count=20",
)
"""Faults of other calls."""

AT_CONNECT = ("reset_at_connect",)
TLS = ("tls_expired", "tls_self_signed", "tls_wrong_host")
"""Faults of a new connection, before a request is known."""

NEVER = ("blackhole", "lost_answer", "late_answer", "endless_chunks")
"""Faults of a send whose answer does not come, so that a limit of time ends it."""

LOSSES = (
    "html_page", "no_ret", "no_message_id", "empty", "truncated:at=20", "reset_after", "closed_in_body", "lost_answer",
    "blackhole",
)  # fmt: skip
"""Faults after which nothing is known of a send, by the place where they happen."""


def named(fault: str) -> str:
    """Return the name of a fault with options."""
    return fault.partition(":")[0]


def test_every_fault_of_the_catalogue_is_tried() -> None:
    assert set(FAULTS) == {named(each) for each in (*SENDING, *BESIDE, *AT_CONNECT, *TLS)}


@pytest.fixture
async def served(sandbox: SandboxCore) -> AsyncIterator[RunningSandbox]:
    """The sandbox on a port of this machine."""
    served = await serve(sandbox)
    yield served
    await served.close()


@pytest.fixture
async def running(
    start_gateway: StartGateway, served: RunningSandbox, request: pytest.FixtureRequest
) -> AsyncIterator[Running]:
    """A gateway whose accounts reach the sandbox over the network, and wait for long if each answer comes or fails."""
    given = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    is_missed = "tool" in given or given.get("fault") in NEVER
    async with start_gateway(server=served.url, patience=1.0 if is_missed else PATIENCE) as running:
        yield running


def outcome(answer: ToolAnswer) -> str:
    """Return what a client can see of a call."""
    assert answer.is_error == hasattr(answer.result, "outcome")
    return str(getattr(answer.result, "outcome", "sent"))


def arrived(here: AgentHere, text: str) -> int:
    """Return how often a text is on the phone."""
    inbox = here.world.inbox("me")
    return sum(each.text == text for each in inbox["filehelper"].messages) if "filehelper" in inbox else 0


async def truth(here: AgentHere, text: str, key: str) -> str:
    """Return the state of a send, which has to fit the phone, once no attempt without a trace there is running."""
    while True:
        found = await here.call("find_send", idempotency_key=key)
        state = str(getattr(found.result, "state", "none"))
        has_arrived = bool(arrived(here, text))
        if state != "sending" or has_arrived:
            break
        await asyncio.sleep(0.01)
    assert state in ({"sent", "unknown", "sending"} if has_arrived else {"none", "queued", "failed", "unknown"})
    return state


@pytest.mark.parametrize("fault", SENDING)
async def test_a_send_under_a_fault_answers_what_became_of_it(make_agent: MakeAgent, fault: str) -> None:
    here = make_agent(at_gateway=True)
    copies = 2 if named(fault) == "request_twice" else 1  # the network itself delivers it twice
    rule = FaultRule.read(fault)
    here.world.faults.add(FaultRule(fault=rule.fault, endpoint=TEXT.name, options=rule.options, times=1))
    first = await here.call("send_text", text="once", idempotency_key="k")
    assert outcome(first) == SENDING[fault]
    state = await truth(here, "once", "k")
    assert state in {
        "sent": {"sent"}, "unknown": {"unknown"}, "refused": {"failed"}, "too_many": {"queued"},
        "logged_out": {"queued"},
    }[outcome(first)]  # fmt: skip
    assert (here.audit[-1][2] == "done") == (outcome(first) == "sent")

    here.world.faults.reset()
    again = await here.call("send_text", text="once", idempotency_key="k")
    assert outcome(again) in {
        "sent": {"sent"}, "unknown": {"unknown"}, "refused": {"sent"}, "too_many": {"too_many", "sent", "queued"},
        "logged_out": {"logged_out", "sent"},
    }[outcome(first)]  # fmt: skip
    await truth(here, "once", "k")
    assert arrived(here, "once") <= copies


@pytest.mark.parametrize("tool", ["reply", "forward_message", "forward_recalled"])
async def test_a_reply_or_a_forward_whose_answer_is_lost_is_no_success(
    make_agent: MakeAgent, number_of: Callable[[str], Any], tool: str
) -> None:
    boss = await number_of("Boss")
    here = make_agent(see=("filehelper", boss), write=("filehelper", boss), sends=1000, at_gateway=True)
    theirs = await here.hear("lilei", "something to send")
    if tool == "forward_recalled":
        here.world.recall("lilei", "me")
        await here.hear("lilei", "after the recall")
    arguments = {"message_id": theirs, **({"text": "an answer"} if tool == "reply" else {})}
    for fault in LOSSES:
        rule = FaultRule.read(fault)
        here.world.faults.add(FaultRule(fault=rule.fault, endpoint=TEXT.name, options=rule.options, times=1))
        for _ in range(2):
            failure = await here.failure(tool, **arguments, idempotency_key=named(fault))
            assert (fault, failure.outcome) == (fault, "unknown")
            assert "find_send" in failure.message
        assert (await here.result("find_send", idempotency_key=named(fault))).state == "unknown"
        here.world.faults.reset()
    here.world.faults.add(f"ret:ret=1,endpoint={TEXT.name},times=1")
    assert (await here.failure(tool, **arguments)).outcome == "refused"
    await here.result(tool, **arguments)


async def send_without_a_connection(here: AgentHere) -> tuple[ToolAnswer, str]:
    """
    Break open connections until a send needs a new one, and return its answer and its text.

    A send that finds another open connection, such as one that reads events now and then, is sent.
    """
    for number in range(5):
        here.world.faults.add(f"reset_after:endpoint={STATUSNOTIFY.name},times=1")
        await here.failure("mark_read", chat="filehelper")
        text = f"once-{number}"
        answer = await here.call("send_text", text=text, idempotency_key=text)
        if outcome(answer) != "sent":
            return answer, text
        assert arrived(here, text) == 1
    raise AssertionError("Each send found an open connection.")


async def fails_to_connect(here: AgentHere, fault: str) -> None:
    """Check a send that needs a new connection, and gets none because of a fault."""
    rule = here.world.faults.add(fault)
    first, text = await send_without_a_connection(here)
    assert rule.hits
    assert outcome(first) in {"queued", "unavailable", "unknown"}
    state = await truth(here, text, text)
    assert (state == "unknown") == (outcome(first) == "unknown")
    here.world.faults.reset()
    again = await here.call("send_text", text=text, idempotency_key=text)
    assert outcome(again) in ({"unknown"} if state == "unknown" else {"sent", "queued", "sending"})
    if state != "unknown":
        await here.until_sent(text)
    assert arrived(here, text) == (state != "unknown")


@pytest.mark.parametrize("at_gateway", [True, False])
@pytest.mark.parametrize("fault", AT_CONNECT)
async def test_a_send_whose_connection_is_reset_is_no_success_and_is_made_once(
    make_agent: MakeAgent, fault: str, at_gateway: bool
) -> None:
    await fails_to_connect(make_agent(at_gateway=at_gateway, manage=True), fault)


class TestOverTls:
    @pytest.fixture
    async def running(self, sandbox: SandboxCore, start_gateway: StartGateway) -> AsyncIterator[Running]:
        served = await serve(sandbox, tls=True)
        async with start_gateway(tls=served.tls) as running:
            yield running
        await served.close()

    @pytest.mark.parametrize("fault", TLS)
    async def test_a_send_to_a_server_without_its_identity_is_no_success_and_is_made_once(
        self, make_agent: MakeAgent, fault: str
    ) -> None:
        await fails_to_connect(make_agent(at_gateway=True, manage=True), fault)


async def test_faults_of_other_calls_leave_sends_as_they_are(make_agent: MakeAgent) -> None:
    here = make_agent(at_gateway=True, sends=1000)
    for fault in BESIDE:
        rule = FaultRule.read(f"{fault}{',' if ':' in fault else ':'}times=1")
        here.world.faults.add(rule)
        assert (outcome(await here.call("send_text", text=fault)), arrived(here, fault)) == ("sent", 1)
        here.world.faults.reset()


@pytest.mark.parametrize("at_gateway", [True, False])
async def test_a_file_whose_upload_fails_was_not_sent(make_agent: MakeAgent, at_gateway: bool) -> None:
    here = make_agent(at_gateway=at_gateway)
    here.world.faults.add("reset_before:endpoint=webwxuploadmedia,times=1")
    first = await here.call("send_file", name="a.txt", data="eA==", idempotency_key="k")
    assert outcome(first) in {"unavailable", "queued"}
    assert await truth(here, "a.txt", "k") in {"queued", "sent"}  # the gateway goes on by itself
    await here.result("send_file", name="a.txt", data="eA==", idempotency_key="k")
    assert [row.kind for row in await here.client.list_sends()] == ["file"]


@pytest.mark.parametrize(("at_gateway", "expected"), [(True, "queued"), (False, "unavailable")])
async def test_a_send_without_a_connection_is_no_success_and_is_made_once(
    make_agent: MakeAgent, served: RunningSandbox, sandbox: SandboxCore, at_gateway: bool, expected: str
) -> None:
    here = make_agent(at_gateway=at_gateway)
    await served.close()
    first = await here.call("send_text", text="once", idempotency_key="k")
    assert outcome(first) == expected
    assert await truth(here, "once", "k") == "queued"
    again = await serve(sandbox, port=urlsplit(served.url).port or 0)
    await here.call("send_text", text="once", idempotency_key="k")
    await here.until_sent("k")
    assert arrived(here, "once") == 1
    await again.close()


async def test_a_recall_or_a_read_mark_with_a_lost_answer_is_no_success(make_agent: MakeAgent) -> None:
    here = make_agent(manage=True)
    sent = await here.result("send_text", text="oops")
    for tool, arguments, endpoint in (
        ("recall_message", {"message_id": sent.message_id}, RECALL),
        ("mark_read", {"chat": "filehelper"}, STATUSNOTIFY),
    ):
        here.world.faults.add(f"reset_after:endpoint={endpoint.name},times=3")
        failure = await here.failure(tool, **arguments)
        assert failure.outcome in {"unknown", "unavailable"}
        assert "send" not in failure.message
        assert here.audit[-1][0] == tool
        here.world.faults.reset()


# -- the storage -------------------------------------------------------------------------------------------------------


class TestADiskThatIsFull:
    @pytest.fixture
    async def running(self, disk: FailingDisk, start_gateway: StartGateway) -> AsyncIterator[Running]:
        del disk  # before the gateway opens its files
        async with start_gateway() as running:
            yield running

    async def test_before_a_send_keeps_it_from_being_made(self, make_agent: MakeAgent, disk: FailingDisk) -> None:
        here = make_agent(at_gateway=True)
        disk.fails = "before"
        first = await here.call("send_text", text="once", idempotency_key="k")
        disk.fails = ""
        assert (outcome(first), arrived(here, "once")) == ("unavailable", 0)
        assert (await here.failure("find_send", idempotency_key="k")).code == "not-found"
        await here.result("send_text", text="once", idempotency_key="k")
        assert arrived(here, "once") == 1

    async def test_after_a_send_makes_no_second_one(
        self, make_agent: MakeAgent, disk: FailingDisk, counted: Counted
    ) -> None:
        here = make_agent(at_gateway=True)
        held = counted.hold(TEXT.name)
        sending = asyncio.create_task(here.call("send_text", text="once", idempotency_key="k"))
        while TEXT.name not in counted.calls:  # noqa: ASYNC110 - the test sees the request only from outside
            await asyncio.sleep(0.001)
        disk.fails = "before"
        held.set()
        first = await sending
        assert (outcome(first), arrived(here, "once")) in {("sent", 1), ("unknown", 1)}
        disk.fails = ""
        again = await here.call("send_text", text="once", idempotency_key="k")
        assert (outcome(again), arrived(here, "once")) in {("sent", 1), ("unknown", 1)}
        await truth(here, "once", "k")


@pytest.mark.postgres
async def test_a_database_that_is_gone_is_no_success(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    carrier = Counted(HoldingLoopback(sandbox))
    async with node(schema, sandbox, tmp_path, transport=carrier) as running:
        await running.log_in()
        await running.until_owned(1)
        here = agent_of(running, at_gateway=True)
        held = carrier.hold(TEXT.name)
        sending = asyncio.create_task(here.call("send_text", text="meanwhile", idempotency_key="meanwhile"))
        while TEXT.name not in carrier.calls:  # noqa: ASYNC110 - the test sees the request only from outside
            await asyncio.sleep(0.001)
        await asyncio.to_thread(schema.end_sessions)
        held.set()
        assert (outcome(await sending), arrived(here, "meanwhile")) in {("unknown", 1), ("sent", 1)}
        assert (outcome(await here.call("send_text", text="gone", idempotency_key="gone"))) == "unavailable"
        assert (await here.failure("find_send", idempotency_key="meanwhile")).outcome == "unavailable"
        assert arrived(here, "gone") == 0
        await asyncio.to_thread(schema.allow_sessions)
        await running.until_owned(1)
        for text in ("meanwhile", "gone"):
            await here.call("send_text", text=text, idempotency_key=text)
            assert arrived(here, text) == 1
