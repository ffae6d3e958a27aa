"""`webwx mcp --confirm`: each send to a person waits for its owner, with a login and through a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from mcp import Client, StdioServerParameters
from mcp_types import ElicitResult
from tests.cli.conftest import WEBWX, running_sandbox
from tests.cli.gateway.test_serve import new_key, serving
from tests.cli.test_completion import complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.cli.conftest import Sandbox, Shell
    from tests.forks import Forks

_CODE = re.compile(r"^Write y (\d+) to send it", re.MULTILINE)


@pytest.fixture
def sandbox(forks: Forks) -> Iterator[Sandbox]:
    """A sandbox of its own, whose phones have no messages of other tests."""
    with running_sandbox(forks, "--echo", "on") as sandbox:
        yield sandbox


class Way(NamedTuple):
    """How `webwx mcp` reaches the account."""

    options: tuple[str, ...]
    environment: dict[str, str]


@pytest.fixture(params=["login", "gateway"])
def way(me: Shell, request: pytest.FixtureRequest) -> Iterator[Way]:
    """A login of this machine, and an account of a gateway."""
    allowed = ("--allow-read", "阿华", "--allow-send", "阿华")
    if request.param == "login":
        yield Way(allowed, {})
        return
    key = new_key(me, "read,send,manage")
    with serving(me) as (_, first_line):
        yield Way((*allowed, "--gateway", first_line["url"]), {"WEBWX_GATEWAY_KEY": key})


@contextlib.asynccontextmanager
async def agent(shell: Shell, way: Way, *options: str, **fields: Any) -> AsyncIterator[Client]:
    """Return the client of a server that it has started."""
    server = StdioServerParameters(
        command=str(WEBWX), args=["mcp", *way.options, *options], env=shell.environment | way.environment
    )  # fmt: skip
    async with Client(server, **fields) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool, and return its result or its failure."""
    structured: dict[str, Any] = (await client.call_tool(tool, arguments)).structured_content
    return structured


async def asked(client: Client, sandbox: Sandbox, **arguments: Any) -> str:
    """Send something about which the owner is asked, and return the code on the phone."""
    known = codes_on_phone(sandbox)
    waiting = await call(client, "send_text", **{"chat": "阿华", **arguments})
    assert (waiting["outcome"], waiting["code"]) == ("waiting_for_owner", "waiting-for-owner"), waiting
    (code,) = await new_codes(sandbox, known, 1)
    return code


async def new_codes(sandbox: Sandbox, known: list[str], count: int) -> list[str]:
    """Return the codes of questions that were not on the phone of the owner, once it has this number of them."""
    while len(new := [*{*await asyncio.to_thread(codes_on_phone, sandbox)} - {*known}]) < count:  # noqa: ASYNC110 - no event of this process
        await asyncio.sleep(0.01)
    return new


def codes_on_phone(sandbox: Sandbox) -> list[str]:
    """Return the codes of the questions on the phone of the owner."""
    return [code for text in texts(sandbox, "me", "filehelper") for code in _CODE.findall(text)]


def texts(sandbox: Sandbox, who: str, chat: str) -> list[str]:
    """Return the texts of a chat on a phone."""
    chats = sandbox.control(f"inbox?who={who}")["chats"]
    return [message["text"] for found in chats if found["id"] == chat for message in found["messages"]]


async def until_state(client: Client, key: str, *states: str) -> dict[str, Any]:
    """Wait until `find_send` tells one of some states."""
    while (found := await call(client, "find_send", idempotency_key=key)).get("state") not in states:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.02)
    return found


async def test_the_owner_accepts_and_refuses_on_the_phone(me: Shell, sandbox: Sandbox, way: Way) -> None:
    async with agent(me, way, "--confirm", "phone") as client:
        helper = await call(client, "send_text", text="for me")
        assert helper["state"] == "sent"  # this chat needs no consent
        code = await asked(client, sandbox, text="hello", idempotency_key="k")
        assert (await call(client, "send_text", text=f"y {code}"))["state"] == "sent"  # no answer of the owner
        refused = await asked(client, sandbox, text="no", idempotency_key="n")
        sandbox.say("me", "filehelper", f"n {refused}")
        await until_state(client, "n", "refused_by_owner")
        assert (await call(client, "find_send", idempotency_key="k"))["state"] == "waiting_for_owner"
        sandbox.say("me", "filehelper", f"y {code}")
        found = await until_state(client, "k", "sent")
        again = await call(client, "send_text", chat="阿华", text="hello", idempotency_key="k")
        assert (again["state"], again["message_id"]) == ("sent", found["message_id"])
        sends = me.run("outbox", "--json").lines
        question = next(each["receipt"]["message_id"] for each in sends if f"Write y {code} " in each["text"])
        recalled = await call(client, "recall_message", message_id=question)
        assert recalled["code"] == "not-own"  # the question stays
        other = await call(client, "send_text", chat="阿华", text="another text", idempotency_key="k")
        assert (other["outcome"], other["code"]) == ("refused", "key-reused")
    assert texts(sandbox, "ahua", "xiaoming") == ["hello"]


async def test_the_person_at_the_client_accepts_and_refuses(me: Shell, sandbox: Sandbox, way: Way) -> None:
    answers = {"hello": ElicitResult(action="accept", content={"ok": True}), "no": ElicitResult(action="decline")}

    async def ask(context: Any, params: Any) -> ElicitResult:
        del context
        return answers[params.message.rpartition("\n")[2]]

    async with agent(me, way, "--confirm", "client", elicitation_callback=ask) as client:
        assert (await call(client, "send_text", chat="阿华", text="hello"))["state"] == "sent"
        assert (await call(client, "send_text", chat="阿华", text="no"))["code"] == "refused-by-owner"
    async with agent(me, way, "--confirm", "client", elicitation_callback=ask, mode="legacy") as client:
        unasked = await call(client, "send_text", chat="阿华", text="hello")
        assert (unasked["outcome"], unasked["code"]) == ("not_allowed", "client-cannot-ask")
    assert texts(sandbox, "ahua", "xiaoming") == ["hello"]


async def test_an_answer_written_while_nothing_runs_counts_at_the_next_start(
    me: Shell, sandbox: Sandbox, way: Way
) -> None:
    async with agent(me, way, "--confirm", "phone") as client:
        code = await asked(client, sandbox, text="hello", idempotency_key="k")
    sandbox.say("me", "filehelper", f"y {code}")
    async with agent(me, way, "--confirm", "phone") as client:
        await until_state(client, "k", "sent")
    assert texts(sandbox, "ahua", "xiaoming") == ["hello"]


async def test_files_and_forwards_wait_too(me: Shell, sandbox: Sandbox, way: Way) -> None:
    async with agent(me, way, "--confirm", "phone") as client:
        sandbox.say("me", "filehelper", "to be forwarded")
        arrived = await call(client, "wait_for_message", chat="filehelper", after=0, timeout_s=20)
        known = codes_on_phone(sandbox)
        calls = (
            ("send_file", {"name": "a.txt", "data": "aGVsbG8=", "caption": "its caption", "idempotency_key": "file"}),
            ("forward_message", {"message_id": arrived["messages"][0]["message_id"], "idempotency_key": "forward"}),
        )
        for tool, arguments in calls:
            assert (await call(client, tool, chat="阿华", **arguments))["outcome"] == "waiting_for_owner"
        for code in await new_codes(sandbox, known, len(calls)):
            sandbox.say("me", "filehelper", f"y {code}")
        for _, arguments in calls:
            await until_state(client, str(arguments["idempotency_key"]), "sent")
    kinds = [message["kind"] for message in sandbox.chat("ahua", "xiaoming")["messages"]]
    assert sorted(kinds) == ["file", "text", "text"]


async def test_the_owner_answers_in_a_terminal(me: Shell, sandbox: Sandbox, way: Way) -> None:
    async with agent(me, way, "--confirm", "phone") as client:
        code = await asked(client, sandbox, text="hello", idempotency_key="k")
        refused = await asked(client, sandbox, text="no", idempotency_key="n")
        listed = {each["code"]: each for each in me.run("mcp", "pending", "--json").lines}
        assert {each: listed[each]["text"] for each in listed} == {code: "hello", refused: "no"}
        assert (listed[code]["state"], listed[code]["name"]) == ("waiting", "阿华")
        assert sorted(complete(me, "webwx mcp accept ")) == sorted(listed)
        assert me.run("mcp", "refuse", refused).code == 0
        accepted = me.run("mcp", "accept", code)
        assert (accepted.code, accepted.stdout) == (0, "Accepted: to 阿华.\n")
        await until_state(client, "k", "sent")
        await until_state(client, "n", "refused_by_owner")
        for command in ("accept", "refuse"):
            late = me.run("mcp", command, code)
            assert (late.code, late.stdout) == (1, "")
            assert "answered before" in late.sentence
        unknown = me.run("mcp", "accept", "12")
        assert (unknown.code, unknown.stdout) == (2, "")
        assert me.run("mcp", "pending").stdout == ""
        assert {each["state"] for each in me.run("mcp", "pending", "--all", "--json").lines} == {"made", "refused"}
    assert texts(sandbox, "ahua", "xiaoming") == ["hello"]
