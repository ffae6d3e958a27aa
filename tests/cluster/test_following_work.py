"""Work that follows an account when its gateway is killed: webhooks, notifications, consumers, bots and saved files."""

from __future__ import annotations

import base64
import json
import signal
import urllib.request
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import PNG
from tests.cluster.conftest import wait_until
from tests.cluster.gateways import two_gateways
from tests.cluster.other_programs import ConsumerProgram, webhook_program
from tests.cluster.witness import problems

if TYPE_CHECKING:
    from tests.cluster.conftest import Deployment
    from tests.cluster.gateways import RunningGateway
    from tests.cluster.other_programs import WebhookProgram

pytestmark = pytest.mark.verify

MANY_SECONDS = 7
"""Seconds for which a program is busy: an account has been taken over long before they have passed."""

LATER_PICTURE = PNG + b"later"

COUNTING = """
import asyncio, json, os
from webwx import Bot, TextMessage

bot = Bot(account="one")
diary = os.open(os.environ["DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@bot.on(TextMessage)
async def answer(ctx, message):
    if message.is_self:
        return
    texts = [*(await ctx.state.get_values(dict)).get("texts", []), message.text]
    await ctx.state.set_values({"texts": texts})
    line = {"what": "begin", "pid": os.getpid(), "text": message.text, "redelivered": ctx.redelivered}
    os.write(diary, json.dumps(line).encode() + b"\\n")
    while message.text.startswith("wait") and os.path.exists(os.environ["DIARY"] + ".wait"):
        await asyncio.sleep(0.02)
    await ctx.reply(", ".join(texts))
"""
"""A bot that answers with all texts of the conversation so far."""


def say(deployment: Deployment, who: str, text: str) -> None:
    deployment.sandbox.say(who, "me", text)


def stored_records(deployment: Deployment, kind: str) -> int:
    return int(deployment.schema.execute(f"SELECT count(*) FROM records WHERE kind LIKE '{kind}'"))


# -- webhooks and notifications ----------------------------------------------------------------------------------------


def create_webhook(node: RunningGateway, program: WebhookProgram) -> str:
    """Create a webhook for the texts of 小明's friends, and return the name of its consumer."""
    fields = {"name": "n", "url": program.url, "types": ["message.text"], "is_self": False, "allow_private": True}
    made = node.call("POST", "/webhooks", {**fields, "accounts": [node.number("one")]})
    assert made.status == 201, made
    return str(made.value["webhook"]["consumer"])


def notify(node: RunningGateway, path: str, text: str) -> None:
    """Send a notification to a receiver."""
    request = urllib.request.Request(
        f"{node.url}{path}", json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=20).close()


def test_the_next_owner_continues_deliveries_to_a_webhook_and_sends_held_notifications(deployment: Deployment) -> None:
    with webhook_program() as program, two_gateways(deployment) as (victim, other):
        consumer = create_webhook(victim, program)
        say(deployment, "zhangsan", "accepted")
        wait_until(lambda: program.texts() == ["accepted"])
        program.busy_text, program.busy_seconds = "busy", MANY_SECONDS
        say(deployment, "lilei", "busy")
        wait_until(lambda: stored_records(deployment, "webhook-retry/%") == 1)
        say(deployment, "lilei", "after it")

        receiver = {"name": "n", "kind": "json", "account": victim.number("one"), "messages_per_minute": 1}
        path = victim.call("POST", "/receivers", receiver).value["path"]
        for text in ("sent at once", "held", "held too"):
            notify(victim, path, text)
        wait_until(lambda: deployment.states() == ["sent"])
        assert stored_records(deployment, "held") == 2
        waiting = f"/accounts/{other.number('one')}/consumers"
        wait_until(lambda: {each["name"]: each["waiting"] for each in other.get(waiting)["consumers"]}[consumer] == 2)

        victim.signal(signal.SIGKILL)
        program.busy_text = ""
        deployment.schema.execute("DELETE FROM records WHERE kind = 'receiver.sent'")  # as after a minute
        say(deployment, "zhangsan", "meanwhile")
        wait_until(lambda: {"after it", "meanwhile"} <= {*program.texts()})
        assert program.texts("accepted") == ["accepted", "meanwhile"]
        *busy, last = program.texts("busy")
        assert ({*busy}, last) == ({"busy"}, "after it")
        # On a busy machine the victim may have tried it again before it was killed.
        first, *_, latest = (call for call in program.calls if call.text == "busy")
        assert first.attempt < latest.attempt
        assert latest.time - first.time > MANY_SECONDS - 0.5

        wait_until(lambda: stored_records(deployment, "held") == 0)
        wait_until(lambda: deployment.states() == ["sent", "sent"])
        texts = [message["text"] for message in deployment.sandbox.chat("me", "filehelper")["messages"]]
        assert texts[0] == "sent at once"
        assert [line.split(" ", 2)[2] for line in texts[1].split("\n\n")[1:]] == ["held", "held too"]
        assert stored_records(deployment, "webhook-retry/%") == 0
    assert problems(deployment.schema) == []


# -- consumers, bots and saved files -----------------------------------------------------------------------------------


def send_picture(deployment: Deployment, name: str, picture: bytes) -> None:
    content = base64.b64encode(picture).decode()
    deployment.sandbox.control("picture", **{"from": "zhangsan", "to": "me", "name": name, "content": content})


def saved_files(node: RunningGateway) -> list[bytes]:
    """Return the files that a gateway has saved."""
    return [each.read_bytes() for each in (node.folder / "inbox").iterdir() if not each.name.startswith(".")]


def answers(deployment: Deployment) -> list[str]:
    """Return what the bot has written to 李雷."""
    messages = deployment.sandbox.chat("lilei", "xiaoming")["messages"]
    return [message["text"] for message in messages if not message["is_self"]]


def test_the_next_owner_runs_the_bot_saves_files_and_serves_the_consumer(deployment: Deployment) -> None:
    deployment.bot.write_text(COUNTING)
    for name in ("a", "b"):
        inbox = deployment.bot.parent / name / "inbox"
        inbox.mkdir(parents=True)
        (inbox.parent / "gateway.toml").write_text(f'[incoming_files]\nroot = "{inbox}"\n')
    with two_gateways(deployment, "--bot", str(deployment.bot)) as (victim, other), deployment.waiting_handlers():
        made = victim.call("POST", "/incoming-file-rules", {"name": "pictures", "kinds": ["image"]})
        assert made.status == 201, made
        with ConsumerProgram(other, "reader") as reader:
            say(deployment, "lilei", "one")
            send_picture(deployment, "a.png", PNG)
            text, redelivered, number = reader.next_text()
            assert (text, redelivered) == ("one", False)
            reader.acknowledge(number)
            wait_until(lambda: (answers(deployment), saved_files(victim)) == (["one"], [PNG]))
            say(deployment, "lilei", "wait for a kill")
            assert reader.next_text()[:2] == ("wait for a kill", False)
            wait_until(lambda: len(deployment.noted("begin", "wait for a kill")) == 1)

            victim.signal(signal.SIGKILL)
            assert reader.until_closed() == 1012
        say(deployment, "lilei", "meanwhile")
        send_picture(deployment, "b.png", LATER_PICTURE)
        with ConsumerProgram(other, "reader") as reader:
            assert [reader.next_text()[:2] for _ in range(2)] == [("wait for a kill", True), ("meanwhile", False)]
        wait_until(lambda: len(deployment.noted("begin", "wait for a kill")) == 2)
        deployment.release_handlers()
        wait_until(lambda: len(answers(deployment)) == 3)
        assert answers(deployment) == ["one", "one, wait for a kill", "one, wait for a kill, meanwhile"]
        lines = [(line["pid"], line["redelivered"]) for line in deployment.noted("begin", "wait for a kill")]
        assert lines == [(victim.pid, False), (other.pid, True)]
        wait_until(lambda: LATER_PICTURE in saved_files(other))  # perhaps the first one too, delivered again
        assert saved_files(victim) == [PNG]
    assert problems(deployment.schema) == []
