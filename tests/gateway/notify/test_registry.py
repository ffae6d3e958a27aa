"""The same questions to every receiver, and the recorded requests of real clients."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.gateway.notify.exchange import TOKEN, Call, exchange, post, refused

from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.receiver import ReceiverOptions
from webwx.gateway.notify.refusal import RefusalReason
from webwx.gateway.notify.registry import RECEIVERS, candidates, kinds_of_host, read
from webwx.gateway.notify.request import HookRequest

ALERT = {"status": "firing", "labels": {"alertname": "Down"}, "fingerprint": "f1"}
GROUP = {"version": "4", "status": "firing", "groupKey": "k", "groupLabels": {}, "alerts": [ALERT]}
EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"msg": "hello"}}
STRUCTURED = {"content-type": "application/cloudevents+json"}


def test_the_largest_body_depends_on_whether_a_client_sends_files_in_it() -> None:
    largest = {kind: max(route.max_bytes for route in each.routes) // 1024 // 1024 for kind, each in RECEIVERS.items()}
    with_files = {"ntfy": 100, "github": 25, "apprise": 20, "json": 20, "wecom": 20, "discord": 20}
    assert largest == dict.fromkeys(RECEIVERS, 1) | with_files


@dataclass(frozen=True)
class Question:
    """The simplest valid request of a receiver, and its answers."""

    kind: str
    target: str
    """Target with the token as `TOKEN`, or without one."""
    body: Any
    success: object
    """Status, and the part of the answer that clients check."""
    wrong_token: object
    empty_body: Any = None
    """A body that has no text; None if the vendor has none."""
    empty: object = None
    """Answer to that body."""
    headers: dict[str, str] = field(default_factory=dict)

    def target_of(self, token: str) -> str:
        return self.target.replace("TOKEN", token)

    def body_of(self, token: str) -> Any:
        return json.loads(json.dumps(self.body).replace("TOKEN", token))


UNAUTHORIZED = (401, {"error": "unknown token"})
EMPTY = (422, {"error": "no text and no file"})
QUESTIONS = [
    Question(
        "wecom", "/cgi-bin/webhook/send?key=TOKEN", {"msgtype": "text", "text": {"content": "hello"}},
        (200, {"errcode": 0, "errmsg": "ok"}), (200, {"errcode": 93000, "errmsg": "invalid webhook url"}),
        {"msgtype": "markdown", "markdown": {"content": " "}}, (200, {"errcode": 44004, "errmsg": "empty content"}),
    ),
    Question(
        "bark", "/push", {"device_key": "TOKEN", "body": "hello"}, (200, {"code": 200, "message": "success"}),
        (400, {"code": 400, "message": "unknown token"}),
        {"device_key": TOKEN}, (400, {"code": 400, "message": "no text and no file"}),
    ),
    Question(
        "serverchan", "/TOKEN.send", {"title": "hello"}, (200, {"code": 0}), (401, {"code": 40001}),
        {"desp": ""}, (400, {"code": 40001}),
    ),
    Question(
        "pushplus", "/send", {"token": "TOKEN", "content": "hello"}, (200, {"code": 200, "data": "7"}),
        (200, {"code": 903}), {"token": TOKEN, "content": None}, (200, {"code": 999}),
    ),
    Question(
        "ntfy", "/", {"topic": "TOKEN", "message": "hello"}, (200, {"event": "message", "message": "hello"}),
        (401, {"code": 40101, "http": 401, "error": "unauthorized"}),
    ),
    Question(
        "gotify", "/message?token=TOKEN", {"message": "hello"}, (200, {"id": 7, "message": "hello"}),
        (401, {"error": "Unauthorized", "errorCode": 401}), {"message": ""}, (400, {"errorCode": 400}),
    ),
    Question(
        "slack", "/hooks/slack/TOKEN", {"text": "hello"}, (200, "ok"), (404, "no_service"), {"text": ""},
        (400, "no_text"),
    ),
    Question(
        "apprise", "/notify/TOKEN", {"body": "hello"}, (200, {"error": None}), (204, ""), {"body": ""},
        (400, {"error": "no text and no file"}),
    ),
    Question(
        "alertmanager", "/hooks/alertmanager/TOKEN", GROUP, (200, {"status": "stored"}), UNAUTHORIZED,
        {"alerts": []}, (422, {"error": "The group has no alerts."}),
    ),
    Question(
        "grafana", "/hooks/grafana/TOKEN", {**GROUP, "orgId": 1, "title": "T"}, (200, {"status": "stored"}),
        UNAUTHORIZED, {}, EMPTY,
    ),
    Question(
        "github", "/hooks/github/TOKEN", {"action": "created"}, (200, {"status": "stored"}), UNAUTHORIZED,
        headers={"x-github-event": "star"},
    ),
    Question(
        "dingtalk", "/robot/send?access_token=TOKEN", {"msgtype": "text", "text": {"content": "hello"}},
        (200, {"errcode": 0, "errmsg": "ok"}), (200, {"errcode": 300005, "errmsg": "token is not exist"}),
        {"msgtype": "text", "text": {"content": ""}}, (200, {"errcode": 40035}),
    ),
    Question(
        "feishu", "/open-apis/bot/v2/hook/TOKEN", {"msg_type": "text", "content": {"text": "hello"}},
        (200, {"code": 0, "msg": "success", "StatusCode": 0}), (200, {"code": 19001}),
        {"msg_type": "text", "content": {"text": ""}}, (400, {"code": 9499}),
    ),
    Question(
        "discord", "/hooks/discord/TOKEN", {"content": "hello"}, (204, ""), (404, {"code": 10015}), {"content": ""},
        (400, {"code": 50006}),
    ),
    Question("json", "/hooks/json/TOKEN", {"text": "hello"}, (200, {"status": "stored"}), UNAUTHORIZED, {}, EMPTY),
    Question(
        "cloudevents", "/hooks/cloudevents/TOKEN", EVENT, (202, {"status": "stored"}), UNAUTHORIZED,
        [], (422, {"error": "There is no event."}), {"content-type": "application/cloudevents+json"},
    ),
]  # fmt: skip
every_receiver = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.kind)


def matches(expected: object, status: int, body: bytes) -> bool:
    """Return whether an answer has the status and contains the expected fields, or is the expected text."""
    assert isinstance(expected, tuple)
    if isinstance(expected[1], str):
        return expected == (status, body.decode())
    answer = json.loads(body)
    return expected == (status, {name: answer[name] for name in expected[1]})


def test_every_receiver_has_a_question() -> None:
    assert set(RECEIVERS) == {question.kind for question in QUESTIONS}


@every_receiver
def test_success_has_the_vendors_form(question: Question) -> None:
    done = post(question.kind, question.target_of(TOKEN), question.body_of(TOKEN), headers=question.headers)
    assert done.notification is not None
    assert done.text
    assert matches(question.success, done.answer.status, done.answer.body)


@every_receiver
def test_a_wrong_token_has_the_vendors_error(question: Question) -> None:
    done = post(question.kind, question.target_of("wrong"), question.body_of("wrong"), headers=question.headers)
    assert done.refusal is not None
    assert done.refusal.reason is RefusalReason.UNKNOWN_TOKEN
    assert matches(question.wrong_token, done.answer.status, done.answer.body)


@pytest.mark.parametrize(
    "question", [each for each in QUESTIONS if each.empty_body is not None], ids=lambda question: question.kind
)
def test_a_request_without_text_is_refused(question: Question) -> None:
    headers = question.headers
    if question.kind == "cloudevents":
        headers = {"content-type": "application/cloudevents-batch+json"}
    done = post(question.kind, question.target_of(TOKEN), question.empty_body, headers=headers)
    assert done.refusal is not None
    assert done.refusal.reason is RefusalReason.EMPTY
    assert matches(question.empty, done.answer.status, done.answer.body)


@every_receiver
def test_too_large_a_body_is_refused(question: Question) -> None:
    receiver, route, values = candidates("POST", question.target_of(TOKEN).partition("?")[0], [question.kind])[0]
    body = b'{"text": "' + b"a" * route.max_bytes + b'"}'
    with pytest.raises(Exception, match="too large"):
        read(receiver, HookRequest(route=route, values=values, body=body), ReceiverOptions(), 0)
    assert refused(question.kind, question.target_of(TOKEN), RefusalReason.TOO_LARGE).status in {413, 431}


@pytest.mark.parametrize("body", [b"{", b'"text', b"\xff\xfe", b'{"text": "\xff"}', b"[" * 5000, b""])
@every_receiver
def test_an_invalid_body_is_refused_and_not_shown(question: Question, body: bytes) -> None:
    headers = {"content-type": "application/json", **question.headers}
    done = post(question.kind, question.target_of(TOKEN), body, headers=headers)
    if done.refusal is None:
        pytest.fail("accepted")
    assert done.refusal.reason in {RefusalReason.INVALID_BODY, RefusalReason.EMPTY}
    assert done.answer.status in {200, 400, 422}
    assert TOKEN.encode() not in done.answer.body


@every_receiver
def test_a_full_queue_has_the_next_possible_time(question: Question) -> None:
    answer = refused(question.kind, question.target_of(TOKEN), RefusalReason.RATE_LIMITED, retry_after=30)
    assert (answer.status, answer.headers["retry-after"]) == (429, "30")


@every_receiver
def test_a_logged_out_account_is_a_server_error(question: Question) -> None:
    assert refused(question.kind, question.target_of(TOKEN), RefusalReason.OFFLINE).status in {424, 503}


@pytest.mark.parametrize("reason", list(RefusalReason))
@every_receiver
def test_every_reason_has_an_answer(question: Question, reason: RefusalReason) -> None:
    answer = refused(question.kind, question.target_of(TOKEN), reason)
    assert 200 <= answer.status < 600
    assert answer.status >= 300 or question.kind in {"apprise", "dingtalk", "feishu", "pushplus", "wecom"}


@every_receiver
def test_an_idempotency_key_is_read(question: Question) -> None:
    headers = {"idempotency-key": "k1", **question.headers}
    one, other = (
        post(question.kind, question.target_of(TOKEN), question.body_of(TOKEN), headers=headers) for _ in "12"
    )
    assert one.notification is not None
    assert other.notification is not None
    assert one.notification.idempotency_key == other.notification.idempotency_key != ""


@every_receiver
def test_no_log_or_repr_shows_the_token_or_the_text(question: Question) -> None:
    done = post(question.kind, question.target_of(TOKEN), question.body_of(TOKEN), headers=question.headers)
    assert TOKEN not in repr(done)
    assert "hello" not in repr(done)


@pytest.mark.parametrize("question", [each for each in QUESTIONS if each.kind != "github"], ids=lambda each: each.kind)
@given(
    value=some.recursive(
        some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(max_size=20),
        lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    data=some.data(),
)
def test_any_json_has_an_answer(question: Question, value: object, data: some.DataObject) -> None:
    body = question.body_of(TOKEN)
    if isinstance(body, dict) and data.draw(some.booleans()):
        name = data.draw(some.sampled_from(sorted(body)))
        body = {**body, name: value}
    else:
        body = value
    done = post(question.kind, question.target_of(TOKEN), body, headers=question.headers)
    assert 200 <= done.answer.status < 500


# -- what real clients send ------------------------------------------------------------------------------------------

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text("utf-8"))
"""Requests of unmodified clients, recorded on loopback, each with the message that it becomes."""


@pytest.mark.parametrize("row", RECORDED, ids=[f"{number}-{row['client']}" for number, row in enumerate(RECORDED)])
def test_a_recorded_request_becomes_its_message(row: dict[str, Any]) -> None:
    body = base64.b64decode(row["body_base64"]) if "body_base64" in row else row["body"].encode()
    done = exchange(
        Call(
            kind=row["kind"],
            target=row["target"],
            method=row["method"],
            headers=row["headers"],
            body=body,
            token=row["token"],
        )
    )
    assert (done.refusal, done.answer.status in {200, 201}) == (None, True)
    if row["message"] is None:
        assert done.notification is None
    else:
        files = [[file.name, file.media_type, len(file.content)] for file in done.message.files]
        assert (done.text, files) == (row["message"], row["files"])


# -- paths and hosts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "kinds"),
    [
        ("POST", "/push", ["bark", "bark", "ntfy"]),
        ("POST", "/message", ["gotify", "bark", "ntfy"]),
        ("POST", "/", ["ntfy"]),
        ("GET", "/", []),
        ("POST", "/send/SCTx.send", ["serverchan", "serverchan", "pushplus", "bark"]),
        ("GET", "/topic/publish", ["ntfy", "bark"]),
        ("POST", "/services/T/B/X", ["slack", "bark"]),
        ("DELETE", "/push", []),
        ("POST", "/a/b/c/d/e", []),
        ("POST", "/hooks/json/t", ["json", "bark"]),
    ],
)
def test_the_most_specific_path_comes_first(method: str, path: str, kinds: list[str]) -> None:
    assert kinds == [candidate.receiver.kind for candidate in candidates(method, path)]


def test_a_vendors_host_name_is_recognised() -> None:
    assert kinds_of_host("qyapi.weixin.qq.com:443") == ["wecom"]
    assert kinds_of_host("12.push.ft07.com") == ["serverchan"]
    assert kinds_of_host("push.ft07.com") == kinds_of_host("evil.example") == kinds_of_host("") == []


def test_a_long_idempotency_key_is_cut() -> None:
    done = post("json", f"/hooks/json/{TOKEN}", {"text": "a"}, headers={"idempotency-key": "k" * 300})
    assert isinstance(done.notification, Notification)
    assert len(done.notification.idempotency_key) == 255
