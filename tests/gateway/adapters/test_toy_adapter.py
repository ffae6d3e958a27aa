"""The adapter of docs/development/adapter.md, built from the page: what an adapter is promised to be able to do."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.gateway.adapters.conftest import created, port_of
from tests.gateway.adapters.toy import PACKAGE
from tests.gateway.cluster_nodes import node
from tests.gateway.conftest import BASE, texts
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from webwx.errors import UnknownContact
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.cluster_nodes import Node
    from tests.gateway.conftest import Running, StartGateway
    from tests.gateway.webhook_receiver import WebhookReceiver
    from tests.postgres import TemporarySchema

    from webwx.gateway.adapters.peers import Peer
    from webwx.gateway.adapters.registry import AdapterEntry
    from webwx.sandbox.core import SandboxCore

PRIVATE = {"allow_private": True}


async def pushed(receiver: WebhookReceiver) -> dict[str, Any]:
    """Return the next note that was pushed."""
    async with asyncio.timeout(20):
        return (await receiver.requests.get()).event


async def until_texts(running: Running | Node, *expected: str) -> None:
    """Wait until the outbox of account 1 has these texts."""
    async with asyncio.timeout(20):
        while await texts(running) != [*expected]:  # noqa: ASYNC110 - no event marks a new row of the outbox
            await asyncio.sleep(0)


async def peers_of(running: Running | Node, made: dict[str, Any]) -> tuple[Peer, ...]:
    """Wait until a program has open connections at a gateway, and return them."""
    async with asyncio.timeout(20):
        while not (found := running.gateway.peers.of(made["program"]["id"]).peers):  # noqa: ASYNC110 - no event marks it
            await asyncio.sleep(0.01)
    return found


async def test_it_is_imported_only_once_a_program_uses_it(noted: Running) -> None:
    async with noted.anonymous() as stranger:
        assert (await stranger.post("/notesecret/send", json={})).status_code == 404
    assert PACKAGE not in sys.modules
    await created(noted)
    assert PACKAGE in sys.modules


def test_a_gateway_imports_no_adapter() -> None:
    program = (
        "import sys, webwx.gateway.app as app; "
        "from webwx.gateway.adapters.registry import ADAPTERS as entries; "
        "print([each.place for each in entries.values() if each.place.partition(':')[0] in sys.modules], "
        "'mcp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]


async def test_a_message_is_pushed_and_answered_by_the_number_of_its_chat(
    noted: Running, receiver: WebhookReceiver
) -> None:
    made = await created(noted, see=["*"], write=["*"], options={"url": receiver.url, **PRIVATE})
    noted.world.say("ahua", "me", "hello")
    note = await pushed(receiver)
    assert note["text"] == "hello"
    async with noted.anonymous() as notebook:
        sent = await notebook.post(f"/note{made['token']}/send", json={"chat": note["chat"], "text": "hi"})
    assert (sent.status_code, sent.json()) == (200, {"ok": True})
    assert await texts(noted) == ["hi"]
    [row] = await noted.port.account(1).client.list_sends()
    assert (await noted.port.account(1).client.who("阿华")).number == (
        await noted.port.account(1).client.who(row.chat)
    ).number


async def test_a_chat_that_is_not_seen_is_never_pushed(noted: Running, receiver: WebhookReceiver) -> None:
    boss = await noted.port.account(1).client.who("Boss")
    await created(noted, see=[boss.number], options={"url": receiver.url, **PRIVATE})
    noted.world.say("ahua", "me", "not for the program")
    noted.world.say("lilei", "me", "for the program")
    assert (await pushed(receiver))["text"] == "for the program"
    assert receiver.requests.empty()


async def test_a_number_of_a_chat_stays_after_its_identity_was_merged_and_after_a_restart(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], receiver: WebhookReceiver
) -> None:
    async with start_gateway(adapters=toy) as running:
        await running.log_in()
        made = await created(running, see=["*"], write=["*"], options={"url": receiver.url, **PRIVATE})
        running.world.say("ahua", "me", "hello")
        note = await pushed(receiver)
    async with start_gateway(adapters=toy) as running:
        await running.until_online("default")
        running.world.log_out("me")
        while (await running.port.account(1).check()).state != "logged_out":
            pass
        await running.log_in()
        client = await running.port.account(1).owned()
        [*_, oldest] = await client.why("阿华")
        known = await client.who("阿华")
        parted = await client.split_identity(known, oldest.contact_id)
        await client.merge_identities(parted, known)  # the number that the note's chat was stored with is merged away
        assert (await client.who(known.number)).number == parted.number
        async with running.anonymous() as notebook:
            sent = await notebook.post(f"/note{made['token']}/send", json={"chat": note["chat"], "text": "hi"})
        assert sent.json() == {"ok": True}
        [row] = await running.port.account(1).client.list_sends()
        assert (await client.who(row.chat)).number == parted.number


async def test_a_connection_gets_messages_and_sends_them_until_its_token_is_replaced(noted: Running) -> None:
    made = await created(noted, see=["*"], write=["*"])
    async with port_of(noted) as address, noted.client("adapters", "read", "send") as owner:
        async with connect(f"ws://{address}/note{made['token']}/socket") as socket:
            noted.world.say("ahua", "me", "hello")
            note = json.loads(await socket.recv())
            await socket.send(json.dumps({"chat": note["chat"], "text": "hi"}))
            await until_texts(noted, "hi")  # a note that is being sent is given up with its connection
            shown = (await owner.get(f"/api/v1/programs/{made['program']['id']}")).json()
            assert [peer["address"] for peer in shown["peers"]] == ["127.0.0.1"]
            renewed = (await owner.post(f"/api/v1/programs/{made['program']['id']}/rotate")).json()
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        with pytest.raises(InvalidStatus):
            await connect(f"ws://{address}/note{made['token']}/socket")
        async with connect(f"ws://{address}/note{renewed['token']}/socket"):
            pass
    assert note["text"] == "hello"


async def test_it_has_the_same_paths_below_the_prefix_of_all_adapters(noted: Running) -> None:
    made = await created(noted)
    async with noted.anonymous() as notebook:
        unknown = await notebook.post(f"/adapters/note/note{made['token']}/send", json={"chat": 1, "text": "hi"})
        wrong = await notebook.post("/adapters/note/note/send", json={"chat": 1, "text": "hi"})
    assert (unknown.status_code, unknown.json()) == (404, {"ok": False, "error": "not-found"})
    assert (wrong.status_code, wrong.json()) == (401, {"ok": False, "error": "unauthorized"})


async def test_a_private_address_needs_a_key_of_an_administrator(noted: Running) -> None:
    body = {"name": "n", "adapter": "note", "account": 1, "options": {"url": "http://127.0.0.1:9/", **PRIVATE}}
    async with noted.client("adapters", "read", "send") as client:
        assert (await client.post("/api/v1/programs", json=body)).status_code == 403
        body["options"] = {"url": "http://127.0.0.1:9/"}
        refused = await client.post("/api/v1/programs", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "address-refused")


async def test_a_push_that_fails_is_shown_with_its_program(noted: Running, receiver: WebhookReceiver) -> None:
    receiver.answer = lambda _: "500 No"
    made = await created(noted, see=["*"], options={"url": receiver.url, **PRIVATE})
    noted.world.say("ahua", "me", "hello")
    await pushed(receiver)
    program = made["program"]["id"]
    async with noted.client("adapters") as client, asyncio.timeout(20):
        while not noted.gateway.peers.of(program).last_error:  # noqa: ASYNC110 - the API would limit the requests
            await asyncio.sleep(0)
        shown = (await client.get(f"/api/v1/programs/{program}")).json()
    assert (shown["last_error"], shown["last_error_code"]) == ("The server answered 500.", "transport-error")
    assert BASE not in shown["last_error"]


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (UnknownContact("No 'Boss'."), "No contact of this login has that name or id.", "unknown-contact"),
        (GatewayProblem("no-owner"), "No node that can be reached owns the account now; nothing was done.", "no-owner"),
    ],
)  # fmt: skip
async def test_a_push_that_fails_is_shown_as_a_sentence_without_the_text_of_the_error(
    noted: Running,
    receiver: WebhookReceiver,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    sentence: str,
    code: str,
) -> None:
    async def fail(*_: object) -> None:
        raise error

    made = await created(noted, see=["*"], options={"url": receiver.url, **PRIVATE})
    monkeypatch.setattr(sys.modules[f"{PACKAGE}.adapter"], "note_of", fail)
    noted.world.say("ahua", "me", "hello")
    peers, program = noted.gateway.peers, made["program"]["id"]
    async with asyncio.timeout(20):
        while not peers.of(program).last_error:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    assert (peers.of(program).last_error, peers.of(program).last_error_code) == (sentence, code)


async def test_a_connection_at_a_node_that_does_not_run_the_account_belongs_to_the_owner_until_it_leaves(
    schema: TemporarySchema, sandbox: SandboxCore, toy: dict[str, AdapterEntry], receiver: WebhookReceiver,
    tmp_path: Path,
) -> None:  # fmt: skip
    start = partial(node, schema, sandbox, adapters=toy, is_served=True)
    async with start(tmp_path / "front", capacity=0) as front, httpx.AsyncClient(timeout=20) as notebook:
        key = (await front.gateway.keys.create("test", ["admin"])).text
        place = front.port.node.address
        async with start(tmp_path / "owner") as owner:
            number = await owner.log_in()
            await owner.until_owned(number)
            options = {"url": receiver.url, **PRIVATE}
            body = {"name": "n", "adapter": "note", "account": number, "see": ["*"], "write": ["*"], "options": options}
            headers = {"Authorization": f"Bearer {key}"}
            made = (await notebook.post(f"{place}/api/v1/programs", json=body, headers=headers)).json()
            address = f"{place}/note{made['token']}"
            await owner.gateway.adapters.refresh()  # the owner does it once a second
            await front.until_elsewhere(number)
            async with connect(f"{address.replace('http', 'ws')}/socket") as socket:
                assert await peers_of(owner, made)
                assert front.gateway.peers.of(made["program"]["id"]).peers == ()
                sandbox.world.say("ahua", "me", "hello")
                note = json.loads(await socket.recv())
                assert note["text"] == "hello"
                assert await pushed(receiver) == note  # once, by the owner
                await socket.send(json.dumps({"chat": note["chat"], "text": "hi", "key": "k"}))
                await until_texts(owner, "hi")
                owner_address = f"{owner.port.node.address}/note{made['token']}"
                for each in (address, owner_address):
                    repeated = await notebook.post(
                        f"{each}/send", json={"chat": note["chat"], "text": "hi", "key": "k"}
                    )
                    assert repeated.json() == {"ok": True}
                sandbox.world.log_out("me")
                with pytest.raises(ConnectionClosed) as closed:  # the owner does not run the account any more
                    await socket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1012
            await owner.log_in()
            client = (await owner.until_owned(number)).client
            known = await client.who("阿华")
            [*_, oldest] = await client.why(known)
            parted = await client.split_identity(known, oldest.contact_id)
            await client.merge_identities(
                parted, known
            )  # the number that the note's chat was stored with is merged away
            await front.until_elsewhere(number)
            sent = await notebook.post(f"{address}/send", json={"chat": note["chat"], "text": "merged"})
            assert sent.json() == {"ok": True}
            await until_texts(owner, "hi", "merged")
        async with connect(f"{address.replace('http', 'ws')}/socket") as socket:
            assert await peers_of(front, made)  # without an owner, the node serves it itself
            async with start(tmp_path / "next") as following:
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1012
                await following.until_owned(number)
                await front.until_elsewhere(number)
                async with connect(f"{address.replace('http', 'ws')}/socket"):
                    assert await peers_of(following, made)
        assert receiver.requests.empty()
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{address.replace('http', 'ws')}x/socket")
        assert refused.value.response.status_code == 401
