"""The webhook posts each message to the configured address, until the address accepts it."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from tests.examples.conftest import load, until

from webwx.model.events import event_from_json
from webwx.model.messages import ImageMessage, TextMessage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message as Headers

    from webwx.testing import Clock, PhoneUser, Sandbox

SECRET = "kept between the two"


class Receiver(ThreadingHTTPServer):
    """Stores each request, and answers with the given answers, then with 204."""

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
        self.do_POST()  # The target of a redirect.

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


def test_a_message_arrives_unchanged_and_signed(sandbox: Sandbox, friend: PhoneUser, receiver: Receiver) -> None:
    with sandbox.running(load("webhook").bot):
        friend.say("你好 👋")
        sandbox.person("lilei").picture(to="周末爬山")
        until(lambda: len(receiver.taken) == 2)

    events = {event_from_json(body) for _, _, body in receiver.taken}
    assert {type(event) for event in events} == {TextMessage, ImageMessage}
    for path, headers, body in receiver.taken:
        event = event_from_json(body)
        signed = f"{headers['Webwx-Timestamp']}.".encode() + body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert (path, headers["Content-Type"]) == ("/wechat", "application/json")
        assert headers["Webwx-Signature"] == f"sha256={expected}"
        assert headers["Webwx-Event"].endswith(f"-{event.number}")


def test_a_failed_request_is_repeated_with_the_same_event(
    sandbox: Sandbox, friend: PhoneUser, clock: Clock, receiver: Receiver
) -> None:
    receiver.answers = [500]
    bot = load("webhook").bot
    with sandbox.running(bot):
        friend.say("one")
        friend.say("two")
        until(lambda: receiver.texts == ["one"])
        clock.wind(5)
        until(lambda: receiver.texts == ["one", "one", "two"])
    assert (bot.counts.failed, bot.counts.dead) == (1, 0)

    first, again, next_ = (headers for _, headers, _ in receiver.taken)
    assert first["Webwx-Event"] == again["Webwx-Event"] != next_["Webwx-Event"]
    assert [headers["Webwx-Attempt"] for headers in (first, again, next_)] == ["1", "2", "1"]


def test_a_redirect_is_a_failure_and_repeated_failures_end_as_a_dead_letter(
    sandbox: Sandbox, friend: PhoneUser, clock: Clock, receiver: Receiver
) -> None:
    receiver.answers = [302, 307, 500]
    bot = load("webhook").bot
    with sandbox.running(bot):
        friend.say("one")
        friend.say("two")
        until(lambda: receiver.texts == ["one"])
        clock.wind(minutes=1)
        until(lambda: receiver.texts == ["one", "one", "one", "two"])
    assert bot.counts.dead == 1
    assert {path for path, _, _ in receiver.taken} == {"/wechat"}


def test_a_message_with_a_ticket_is_not_posted(sandbox: Sandbox, friend: PhoneUser, receiver: Receiver) -> None:
    stranger = sandbox.add_stranger("路人")
    with sandbox.running(load("webhook").bot):
        sandbox.do(lambda world: world.ask_friend(stranger.id, "me", "加个好友"))
        friend.say("after it")
        until(lambda: "after it" in receiver.texts)
    assert receiver.texts == ["after it"]


def test_a_dead_letter_is_logged_with_the_reason(
    sandbox: Sandbox, friend: PhoneUser, clock: Clock, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [503] * 3
    with sandbox.running(load("webhook").bot):
        friend.say("one")
        until(lambda: receiver.texts == ["one"])
        clock.wind(minutes=1)
        until(lambda: receiver.texts == ["one"] * 3)
    assert "could not be forwarded: The receiver has answered 503." in caplog.text
