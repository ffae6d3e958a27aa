"""The webhook hands each message on, as long as it takes, to the one address that it was told."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.examples.conftest import at_work, load, until_told

from webwx.model.events import event_from_json
from webwx.model.messages import ImageMessage, TextMessage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message as Headers

    from tests.examples.conftest import OpenClient, Platform, Start

    from webwx.sandbox.world import World

SECRET = "kept between the two"


class Receiver(ThreadingHTTPServer):
    """Takes what is posted, and answers with what it was told to, then with 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.answers: list[int] = []
        self.taken: list[tuple[str, Headers, bytes]] = []
        """Path, headers and body of each request, in order."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/wechat"

    @property
    def texts(self) -> list[str]:
        return [json.loads(body).get("text", "") for _, _, body in self.taken]


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Receiver)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.taken.append((self.path, self.headers, body))
        self.send_response(server.answers.pop(0) if server.answers else 204)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()  # where a redirect would lead

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("WEBHOOK_URL", server.url)
        monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        server.shutdown()
        thread.join()


async def test_a_message_arrives_as_it_is_and_signed(open_client: OpenClient, world: World, receiver: Receiver) -> None:
    async with open_client() as client, at_work(load("webhook"), client):
        world.say("ahua", "me", "你好 👋")
        world.picture("lilei", "周末爬山", b"\x89PNG\r\n\x1a\n")
        await until(lambda: len(receiver.taken) == 2)

    events = {event_from_json(body) for _, _, body in receiver.taken}
    assert {type(event) for event in events} == {TextMessage, ImageMessage}
    for path, headers, body in receiver.taken:
        event = event_from_json(body)
        signed = f"{headers['Webwx-Timestamp']}.".encode() + body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert (path, headers["Content-Type"]) == ("/wechat", "application/json")
        assert headers["Webwx-Signature"] == f"sha256={expected}"
        assert headers["Webwx-Event"].endswith(f"-{event.number}")


async def test_what_fails_at_first_is_tried_again_and_is_still_the_same_event(
    open_client: OpenClient, world: World, receiver: Receiver
) -> None:
    receiver.answers = [500]
    async with open_client() as client, at_work(load("webhook"), client):
        world.say("ahua", "me", "one")
        world.say("ahua", "me", "two")
        await until(lambda: receiver.texts == ["one", "one", "two"])
        assert await client.list_dead_letters(consumer="webhook") == []

    first, again, next_ = (headers for _, headers, _ in receiver.taken)
    assert first["Webwx-Event"] == again["Webwx-Event"] != next_["Webwx-Event"]
    assert [headers["Webwx-Attempt"] for headers in (first, again, next_)] == ["1", "2", "1"]


async def test_a_redirect_is_a_failure_and_what_always_fails_is_a_dead_letter(
    open_client: OpenClient, world: World, receiver: Receiver
) -> None:
    receiver.answers = [302, 307]
    async with open_client() as client:
        async with at_work(load("webhook"), client, attempts=2):
            world.say("ahua", "me", "one")
            world.say("ahua", "me", "two")
            await until(lambda: receiver.texts[-1:] == ["two"])
        [letter] = await client.list_dead_letters(consumer="webhook")

    assert isinstance(letter.event, TextMessage)
    assert letter.event.text == "one"
    assert {path for path, _, _ in receiver.taken} == {"/wechat"}


async def test_what_holds_a_ticket_is_not_sent_on(open_client: OpenClient, world: World, receiver: Receiver) -> None:
    stranger = world.add_person("路人")
    async with open_client() as client, at_work(load("webhook"), client):
        world.ask_friend(stranger.id, "me", "加个好友")
        world.say("ahua", "me", "after it")
        await until(lambda: "after it" in receiver.texts)
    assert receiver.texts == ["after it"]


def test_what_is_given_up_is_logged_with_the_reason(receiver: Receiver, platform: Platform, start: Start) -> None:
    receiver.answers = [503] * 3
    settings = {"WEBHOOK_URL": receiver.url, "WEBHOOK_SECRET": SECRET}
    with start("webhook", **settings) as process:
        until_told(lambda: "webhook runs as 小明" in process.said)
        platform.do("say", **{"from": "ahua", "to": "me", "text": "one"})
        until_told(lambda: "could not be sent on: The receiver has answered 503." in process.said)
        assert process.end() == 0
    assert receiver.texts == ["one"] * 3
