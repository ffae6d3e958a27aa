"""Several gateways that serve the accounts of one database: gateways as processes, with a sandbox as the platform."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.cli.conftest import PATIENCE
from tests.client.conftest import PNG
from tests.cluster.conftest import wait_until
from tests.cluster.gateways import EventStream, are_online, gateway, two_gateways
from tests.cluster.witness import problems

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.conftest import Deployment
    from tests.cluster.gateways import RunningGateway

pytestmark = pytest.mark.verify


def texts(node: RunningGateway, account: int) -> list[str]:
    events = node.get(f"/events?accounts={account}&limit=500")["events"]
    return [event["data"].get("text", "") for event in events]


def test_a_gateway_without_capacity_answers_for_the_accounts_of_another(deployment: Deployment) -> None:
    with gateway(deployment, "front", "--capacity", "0") as front, gateway(deployment, "node") as node:
        wait_until(lambda: are_online(front))
        assert (deployment.owned_by(front), deployment.owned_by(node)) == (0, 2)
        account = front.number("one")
        assert account == node.number("one")
        deployment.sandbox.say("lilei", "me", "hello")
        wait_until(lambda: "hello" in texts(front, account))
        sent = front.call("POST", "/notify?account=one", {"text": "through the front"})
        assert sent.status in {201, 202}, sent
        wait_until(lambda: deployment.states() == ["sent"])


def test_the_accounts_of_a_worker_are_used_through_a_gateway(deployment: Deployment) -> None:
    with deployment.worker() as worker, gateway(deployment, "front", "--capacity", "0") as front:
        wait_until(lambda: deployment.owned_by(worker) == 2)
        wait_until(lambda: are_online(front))
        sent = front.call("POST", "/accounts/one/messages", {"to": "filehelper", "text": "for the worker"})
        assert sent.status == 201, sent
        address = next(line["address"] for line in deployment.workers() if line["worker"] == worker.id)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/api/v1/health", timeout=20)
        with closing(refused.value):
            assert refused.value.code == 403


def test_requests_at_another_gateway_reach_the_owner(deployment: Deployment) -> None:
    with two_gateways(deployment) as (owner, other):
        account = f"/accounts/{other.number('one')}"
        sent = other.call("POST", f"{account}/messages", {"to": "filehelper", "text": "to recall"})
        assert sent.status == 201, sent
        recalled = other.call("POST", f"{account}/sends/{sent.value['id']}/recall")
        assert recalled.status == 204, recalled

        content = base64.b64encode(PNG).decode()
        deployment.sandbox.control("picture", **{"from": "lilei", "to": "me", "name": "a.png", "content": content})
        wait_until(lambda: bool(numbers(other, "type", "message.image")))
        (number,) = numbers(other, "type", "message.image")
        media = other.call("GET", f"{account}/messages/{number}/media")
        assert media.status == 200, media
        assert media.body
        assert other.get(account)["state"] == owner.get(account)["state"] == "online"


def test_a_notification_at_another_gateway_is_sent_by_the_owner(deployment: Deployment) -> None:
    with two_gateways(deployment) as (owner, other):
        sent = other.call("POST", "/notify?account=one", {"text": "for the owner"})
        assert sent.status == 201, sent
        assert [each["state"] for each in owner.get("/accounts/one/sends")["sends"]] == ["sent"]
        chat = deployment.sandbox.chat("me", "filehelper")
        assert [message["text"] for message in chat["messages"]].count("for the owner") == 1


def numbers(node: RunningGateway, field: str, value: str) -> list[int]:
    events = node.get("/events?accounts=one&limit=500")["events"]
    return [each["number"] for each in events if ({**each["data"], **each}).get(field) == value]


def test_a_send_with_one_key_at_two_gateways_is_made_once(deployment: Deployment) -> None:
    with two_gateways(deployment) as nodes, ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(
                lambda node: node.call(
                    "POST", "/accounts/one/messages", {"to": "filehelper", "text": "once"}, Idempotency_Key="a key"
                ),
                nodes,
            )
        )
        assert {answer.status for answer in answers} == {201}
        assert len({answer.value["id"] for answer in answers}) == 1
        assert deployment.states() == ["sent"]


def test_a_key_that_was_deleted_at_one_gateway_is_refused_at_the_other(deployment: Deployment) -> None:
    with two_gateways(deployment) as (one, other):
        made = one.call("POST", "/keys", {"name": "short", "scopes": ["read"]})
        key = made.value["key"]
        assert other.call("GET", "/accounts", key=key).status == 200
        assert one.call("DELETE", f"/keys/{made.value['about']['id']}").status == 204
        wait_until(lambda: other.call("GET", "/accounts", key=key).status == 401)


def state_at(node: RunningGateway, path: str) -> str | None:
    """Return the state in an answer; None if the account is changing hands, so the request is to be repeated."""
    answer = node.call("GET", path)
    assert answer.status in {200, 503}, answer
    return str(answer.value["state"]) if answer.status == 200 else None


def test_a_login_is_followed_at_another_gateway(deployment: Deployment) -> None:
    with gateway(deployment, "a") as one, gateway(deployment, "b", key=one.key) as other:
        number = one.call("POST", "/accounts", {"name": "three"}).value["number"]
        wait_until(lambda: other.call("GET", f"/accounts/{number}").status == 200)
        assert one.call("POST", f"/accounts/{number}/login").status == 202
        wait_until(lambda: other.get(f"/accounts/{number}/login")["has_code"])
        code = other.call("GET", f"/accounts/{number}/login/qr?format=text")
        assert code.status == 200
        deployment.sandbox.control("scan", who="lilei")
        wait_until(lambda: other.get(f"/accounts/{number}/login")["state"] == "scanned")
        deployment.sandbox.control("confirm", uuid="")
        wait_until(lambda: state_at(other, f"/accounts/{number}") == "online")
        wait_until(lambda: state_at(other, f"/accounts/{number}/login") == "confirmed")


GREETER = """
from webwx import Bot

bot = Bot(name="greeter")


@bot.on_http("/greet")
async def greet(ctx, request):
    await ctx.send_text("filehelper", request.text)
    return {"pid": __import__("os").getpid()}
"""


def test_the_bots_of_all_gateways_are_listed_and_called_at_each(deployment: Deployment, tmp_path: Path) -> None:
    program = tmp_path / "greeter.py"
    program.write_text(GREETER)
    with two_gateways(deployment, "--bot", str(program)) as (owner, other):
        numbers = {name: owner.number(name) for name in ("one", "two")}

        def running(node: RunningGateway) -> list[tuple[str, int]]:
            return [(each["name"], each["account"]) for each in node.get("/bots")["bots"] if each["state"] == "running"]

        for node in (owner, other):
            wait_until(lambda node=node: running(node) == [("greeter", number) for number in sorted(numbers.values())])  # type: ignore[misc]
            for name, at in (("one", owner), ("two", other)):
                called = node.send("POST", f"/bots/greeter/greet?account={name}", "hello")
                assert (called.status, called.value) == (200, {"pid": at.pid})
            several = node.send("POST", "/bots/greeter/greet", "hello")
            assert (several.status, "?account=" in several.value["detail"]) == (404, True)
        made = owner.call("POST", "/keys", {"name": "one", "scopes": ["bots"], "accounts": [numbers["one"]]})
        only = other.send("POST", "/bots/greeter/greet", "hello", key=made.value["key"])
        assert (only.status, only.value) == (200, {"pid": owner.pid})
        assert deployment.states() == ["sent"] * 5


def test_a_terminated_gateway_hands_its_accounts_over_while_a_request_is_open(deployment: Deployment) -> None:
    with two_gateways(deployment) as (leaving, other):
        address = urlsplit(leaving.url)
        connection = HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
        body = json.dumps({"to": "filehelper", "text": "begun at one, sent by the other"}).encode()
        connection.putrequest("POST", f"/api/v1/accounts/{other.number('one')}/messages")
        for name, value in {
            "Authorization": f"Bearer {leaving.key}", "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }.items():  # fmt: skip
            connection.putheader(name, value)
        connection.endheaders(body[:9])
        leaving.get("/accounts")  # so it has received the beginning of the request as well
        leaving.signal(signal.SIGTERM)
        wait_until(lambda: deployment.owned_by(other) == 2)
        assert leaving.process.poll() is None
        connection.send(body[9:])
        with closing(connection.getresponse()) as answer:
            assert answer.status == 201
        connection.close()
        assert leaving.process.wait(timeout=PATIENCE) == 0
        assert deployment.states() == ["sent"]
        assert problems(deployment.schema) == []


def test_the_accounts_of_a_killed_gateway_are_taken_over_and_no_event_is_lost(deployment: Deployment) -> None:
    with two_gateways(deployment) as (victim, other):
        account = other.number("one")
        with EventStream(other, f"accounts={account}") as stream:
            deployment.sandbox.say("lilei", "me", "before")
            stream.until("before")
            victim.signal(signal.SIGKILL)
            deployment.sandbox.say("lilei", "me", "meanwhile")
            wait_until(lambda: deployment.owned_by(other) == 2)
            stream.until("meanwhile")
            last = stream.last_id
        deployment.sandbox.say("lilei", "me", "between two streams")
        with EventStream(other, f"accounts={account}", last_id=last) as again:
            again.until("between two streams")
        seen = [*stream.texts, *again.texts]
        assert [text for text in seen if text] == ["before", "meanwhile", "between two streams"]
        wait_until(lambda: are_online(other))
        sent = other.call("POST", "/accounts/one/messages", {"to": "filehelper", "text": "after the takeover"})
        assert sent.status == 201, sent
    assert problems(deployment.schema) == []


def queue_file(node: RunningGateway, content: bytes) -> None:
    """Leave a file to the background of the account `one`."""
    uploaded = node.call("POST", "/uploads?name=a.bin", content)
    assert uploaded.status == 201, uploaded
    body = {"to": "filehelper", "file": {"upload_id": uploaded.value["upload_id"]}}
    sent = node.call("POST", "/accounts/one/messages", body, Prefer="respond-async", Idempotency_Key="a file")
    assert sent.status == 202, sent


def times_on_phone(deployment: Deployment, content: bytes) -> int:
    """Return how often 小明's phone shows a file."""
    chats, md5 = deployment.sandbox.control("inbox?who=me")["chats"], hashlib.md5(content).hexdigest()
    return sum(message["md5"] == md5 for chat in chats for message in chat["messages"])


def rows_of_files(deployment: Deployment) -> int:
    pieces = deployment.schema.execute("SELECT count(*) FROM send_pieces")
    return int(pieces) + int(
        deployment.schema.execute("SELECT count(*) FROM outbox WHERE background AND file <> '' AND state = 'queued'")
    )


def test_a_queued_file_is_sent_once_by_the_next_owner_of_its_account(deployment: Deployment) -> None:
    content = b"a file of several pieces" * 60_000
    with two_gateways(deployment) as (victim, other):
        fault = {"fault": "ret", "endpoint": "webwxuploadmedia", "options": {"ret": 1205}}
        number = deployment.sandbox.control("faults", **fault)["number"]
        queue_file(victim, content)
        wait_until(lambda: deployment.sandbox.control("faults")["hits"].get("ret", 0) > 0)
        victim.signal(signal.SIGKILL)
        deployment.sandbox.control("faults/take-off", number=number)
        wait_until(lambda: deployment.owned_by(other) == 2)
        wait_until(lambda: deployment.states() == ["sent"])
        wait_until(lambda: rows_of_files(deployment) == 0)
        assert times_on_phone(deployment, content) == 1
    assert problems(deployment.schema) == []


def test_a_file_that_a_killed_gateway_was_sending_is_not_sent_again(deployment: Deployment) -> None:
    content = b"a file whose answer is lost"
    with two_gateways(deployment) as (victim, other):
        deployment.sandbox.control("faults", fault="lost_answer", endpoint="webwxsendappmsg", times=1)
        queue_file(victim, content)
        wait_until(lambda: times_on_phone(deployment, content) == 1)
        assert deployment.states() == ["sending"]
        victim.signal(signal.SIGKILL)
        wait_until(lambda: deployment.owned_by(other) == 2)
        wait_until(lambda: rows_of_files(deployment) == 0)
        assert set(deployment.states()) <= {"unknown", "sent"}
        assert times_on_phone(deployment, content) == 1
    assert problems(deployment.schema) == []


def test_a_drained_gateway_hands_its_accounts_over_and_exits(deployment: Deployment) -> None:
    with two_gateways(deployment) as (leaving, other):
        deployment.webwx("cluster", "drain", leaving.id)
        assert leaving.process.wait(timeout=30) == 0
        wait_until(lambda: deployment.owned_by(other) == 2)
        wait_until(lambda: are_online(other))
    assert problems(deployment.schema) == []
