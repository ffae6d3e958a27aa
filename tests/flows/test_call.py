"""Decoding of replies and conversion of refusals to exceptions: every code, every way to lose a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.flows.drive import drive, refusal, reply
from tests.samples import sample
from tests.saved import LOGIN, NOW, SECRETS

from webwx.errors import (
    ApiError,
    ConnectFailed,
    LoggedOut,
    ProtocolError,
    RateLimited,
    RecipientRejected,
    SendOutcomeUnknown,
    Timeout,
    TlsError,
    TransportError,
    WxError,
)
from webwx.flows.call import REPEATS, Flow, call, judge, read
from webwx.flows.contacts import get_contacts, list_contacts
from webwx.flows.media import Upload, UploadState, upload_chunk
from webwx.flows.messages import mark_read, send_image, send_text
from webwx.flows.sync import check, fetch
from webwx.protocol import ENDPOINTS
from webwx.protocol.codec import MEDIA
from webwx.protocol.contacts import WEBWXINIT, ContactKey
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.http import Pause, Read, Request, Response
from webwx.protocol.login import Reply
from webwx.protocol.messages import TEXT
from webwx.protocol.sync import SYNCCHECK

if TYPE_CHECKING:
    from collections.abc import Callable

CODES = [
    (-14, LoggedOut, "ticket"),
    (1100, LoggedOut, "phone"),
    (1101, LoggedOut, "evicted"),
    (1102, LoggedOut, "cookie"),
    (1103, LoggedOut, "evicted"),
    (1201, RecipientRejected, None),
    (1204, RecipientRejected, None),
    (1205, RateLimited, None),
    (-1, ApiError, None),
    (-2, ApiError, None),
    (-2013, ApiError, None),
    (1, ApiError, None),
    (3, ApiError, None),
    (1200, ApiError, None),
    (1203, ApiError, None),
    (424242, ApiError, None),
]

ODD = 424242
"""An unknown code."""

FILE = Upload(source=b"x", name="x.png", size=1, md5="", content_type="image/png", kind="pic")
STATE = UploadState(to="filehelper", client_media_id=1, data_ticket="ticket", boundary="X")


def a_send() -> Flow[str]:
    """Return a call that may not be repeated."""
    return send_text(LOGIN, "filehelper", "hi", "15600000000000001")


def a_fetch() -> Flow[object]:
    """Return a call that may be repeated."""
    return fetch(LOGIN, NOW)


class TestJudge:
    def test_ret_0_raises_nothing(self) -> None:
        judge("webwxsendmsg", 0)

    @pytest.mark.parametrize(("ret", "kind", "reason"), CODES)
    def test_every_code_has_its_class_and_reason(self, ret: int, kind: type[ApiError], reason: str | None) -> None:
        with pytest.raises(ApiError) as caught:
            judge("webwxsendmsg", ret, "系统繁忙")

        assert type(caught.value) is kind
        assert ("webwxsendmsg", ret, "系统繁忙") == (caught.value.endpoint, caught.value.ret, caught.value.message)
        assert reason == getattr(caught.value, "reason", None)

    def test_the_text_names_the_call_the_code_and_the_platforms_message(self) -> None:
        with pytest.raises(RateLimited, match=r"webwxsendmsg .*ret 1205.* The platform says: 操作太频繁"):
            judge("webwxsendmsg", 1205, "操作太频繁")

    @pytest.mark.parametrize("ret", [1, 3, 1101, 1201, 1204, 1205, 424242])
    def test_the_platforms_message_is_repeated_without_key_like_texts(self, ret: int) -> None:
        words = (
            "请稍后再试\n\x1b[2J skey=@crypt_1f2e3d4_0a1b2c sid:QWERTYUIOPASDFGH k3Yq%2BZ0example%3D= uin 1234567890 "
            "https://wx.qq.com/cgi-bin/x?sid=AbC @0a1b2c wxid=bob \u202e try later"
        )
        with pytest.raises(ApiError) as caught:
            judge("webwxsendmsg", ret, words)

        masked = "请稍后再试 [2J *** *** *** uin *** *** *** try later"
        assert caught.value.message == masked
        assert str(caught.value).endswith(f" The platform says: {masked}")

    def test_the_platforms_message_is_repeated_without_the_keys_of_the_request(self) -> None:
        words = "bad sid s1d/+ (s1d%2F%2B), ticket tick; short ab"
        with pytest.raises(ApiError) as caught:
            judge("webwxsendmsg", 1, words, ["s1d/+", "tick", "ab"])
        assert caught.value.message == "bad sid *** ( *** ), *** et *** ; short ab"

    def test_a_long_message_is_truncated(self) -> None:
        with pytest.raises(ApiError) as caught:
            judge("webwxsendmsg", 1, 1_000_000 * "so much ")
        assert (len(caught.value.message), caught.value.message[-1]) == (200, "…")

    def test_a_message_of_the_maximum_length_is_complete(self) -> None:
        with pytest.raises(ApiError) as caught:
            judge("webwxsendmsg", 1, 200 * "慢")
        assert caught.value.message == 200 * "慢"

    def test_each_reason_of_a_logout_has_its_own_text(self) -> None:
        texts = set()
        for ret in (-14, 1100, 1101, 1102):
            with pytest.raises(LoggedOut) as caught:
                judge("webwxsync", ret)
            texts.add(str(caught.value).replace(str(ret), ""))

        assert len(texts) == 4


JSON_CALLS = [endpoint for endpoint in ENDPOINTS if issubclass(endpoint.reply, Reply)]
"""Calls whose answer has a `BaseResponse`; the calls of login, the long poll and media have none."""

WITHOUT_RET = [
    b"{}", b'{"error":"blocked by proxy"}', b'{"Ret":0}', b'{"Ret":1101}', b'{"BaseResponse":null}',
    b'{"BaseResponse":{}}', b'{"BaseResponse":[]}', b'{"BaseResponse":"ok"}', b'{"BaseResponse":0}',
    b'{"BaseResponse":{"Ret":null}}', b'{"BaseResponse":{"Ret":""}}', b'{"BaseResponse":{"Ret":"ok"}}',
    b'{"BaseResponse":{"Ret":{}}}', b'{"BaseResponse":{"Ret":[0]}}', b'{"BaseResponse":{"Ret":false}}',
    b'{"BaseResponse":{"Ret":0.5}}', b'{"BaseResponse":{"Ret":NaN}}', b'{"BaseResponse":{"ret":0}}',
    b"[]", b'"x"', b"0", b"true", b"null", b'[{"BaseResponse":{"Ret":0}}]',
]  # fmt: skip
"""JSON with status 200 from a proxy, a captive portal or a broken server."""

REPEATED = {endpoint.name for endpoint in JSON_CALLS if endpoint.repeatable} - {"webwxsync"}
"""Calls that are repeated after an unknown code: neither sends nor calls of the sync loop."""


class TestEveryCodeAtEveryCall:
    @pytest.mark.parametrize(("ret", "kind", "reason"), CODES)
    @pytest.mark.parametrize("endpoint", JSON_CALLS, ids=lambda endpoint: endpoint.name)
    def test_a_code_means_the_same_at_every_call(
        self, endpoint: Endpoint[Any, Any], ret: int, kind: type[ApiError], reason: str | None
    ) -> None:
        if ret == 3 and endpoint.name == "webwxinit":
            kind, reason = LoggedOut, "evicted"
        times = REPEATS + 1 if ret == ODD and endpoint.name in REPEATED else 1
        with pytest.raises(ApiError) as caught:
            drive(call(endpoint, sample(endpoint.request), LOGIN.hosts), *[refusal(ret)] * times)

        assert type(caught.value) is kind
        assert (caught.value.endpoint, caught.value.ret) == (endpoint.name, ret)
        assert getattr(caught.value, "reason", None) == reason

    @pytest.mark.parametrize(
        ("flow", "answer"),
        [(check(LOGIN, NOW), reply(SYNCCHECK, retcode=3)), (fetch(LOGIN, NOW), refusal(3))],
        ids=["synccheck", "webwxsync"],
    )
    def test_ret_3_of_a_poll_or_a_fetch_ends_no_login(self, flow: Flow[object], answer: Response) -> None:
        with pytest.raises(ApiError, match="delivers nothing for now") as caught:
            drive(flow, answer)
        assert type(caught.value) is ApiError


def refuse_always(flow: Flow[Any], asked: list[Request | Read | Pause]) -> None:
    """Answer with the unknown code as long as a flow asks, and return its requests."""
    asked.append(next(flow))
    while True:
        asked.append(flow.send(None if isinstance(asked[-1], Pause) else refusal(ODD)))


class TestACodeThatNobodyKnows:
    """An unknown code: a call that may be repeated is repeated three times; then the code is raised unchanged."""

    @pytest.mark.parametrize("endpoint", JSON_CALLS, ids=lambda endpoint: endpoint.name)
    def test_causes_three_repetitions_or_none(self, endpoint: Endpoint[Any, Any]) -> None:
        asked: list[Request | Read | Pause] = []
        with pytest.raises(ApiError, match=r"\(ret 424242\)"):
            refuse_always(call(endpoint, sample(endpoint.request), LOGIN.hosts), asked)

        repeats = 3 if endpoint.name in REPEATED else 0
        assert [type(each) for each in asked] == [Request, *[Pause, Request] * repeats]
        assert {endpoint.name} == {each.endpoint for each in asked if not isinstance(each, Read)}

    def test_is_ignored_if_a_repetition_succeeds(self) -> None:
        given, asked = drive(
            call(WEBWXINIT, WEBWXINIT.request(), LOGIN.hosts), refusal(ODD), refusal(ODD), reply(WEBWXINIT, skey="@s")
        )

        assert given.skey == "@s"
        assert [Pause(endpoint="webwxinit", ret=ODD)] * 2 == asked[1::2]

    @pytest.mark.parametrize(("ret", "kind"), [(1101, LoggedOut), (1205, RateLimited), (-1, ApiError)])
    def test_may_be_followed_by_a_known_code(self, ret: int, kind: type[ApiError]) -> None:
        with pytest.raises(kind) as caught:
            drive(call(WEBWXINIT, WEBWXINIT.request(), LOGIN.hosts), refusal(ODD), refusal(ret))

        assert ret == caught.value.ret

    def test_is_accepted_where_the_caller_knows_it(self) -> None:
        given, [_] = drive(call(WEBWXINIT, WEBWXINIT.request(), LOGIN.hosts, also_fine=(ODD,)), refusal(ODD))

        assert given.base_response.ret == ODD


class TestEveryCallIsJudged:
    @pytest.mark.parametrize(("ret", "kind", "reason"), CODES)
    @pytest.mark.parametrize(
        "flow",
        [
            lambda: send_text(LOGIN, "filehelper", "hi", "1"),
            lambda: send_image(LOGIN, "filehelper", "media", "1"),
            lambda: mark_read(LOGIN, "filehelper", NOW),
            lambda: fetch(LOGIN, NOW),
            lambda: list_contacts(LOGIN, NOW),
            lambda: get_contacts(LOGIN, [ContactKey(user_name="@@room")], NOW),
        ],
        ids=["send_text", "send_image", "mark_read", "fetch", "list_contacts", "get_contacts"],
    )
    def test_json_calls(
        self, flow: Callable[[], Flow[Any]], ret: int, kind: type[ApiError], reason: str | None
    ) -> None:
        with pytest.raises(kind) as caught:
            drive(flow(), *[refusal(ret)] * (REPEATS + 1))

        assert ret == caught.value.ret

    @pytest.mark.parametrize(("ret", "kind", "reason"), CODES)
    def test_the_long_poll(self, ret: int, kind: type[ApiError], reason: str | None) -> None:
        with pytest.raises(kind) as caught:
            drive(check(LOGIN, NOW), reply(SYNCCHECK, retcode=ret))

        assert ret == caught.value.ret

    @pytest.mark.parametrize(("ret", "kind", "reason"), CODES)
    def test_uploads(self, ret: int, kind: type[ApiError], reason: str | None) -> None:
        with pytest.raises(kind) as caught:
            drive(upload_chunk(LOGIN, FILE, STATE, 0), b"x", refusal(ret))

        assert ret == caught.value.ret


class TestALostAnswer:
    @pytest.mark.parametrize("failure", [Timeout("t"), TransportError("t"), ProtocolError("too large")])
    def test_leaves_an_unknown_outcome_of_a_send(self, failure: WxError) -> None:
        with pytest.raises(SendOutcomeUnknown, match="may or may not have been done"):
            drive(a_send(), failure)

    @pytest.mark.parametrize("failure", [ConnectFailed("c"), TlsError("t")])
    def test_before_the_request_was_sent_is_no_unknown_outcome(self, failure: TransportError) -> None:
        with pytest.raises(type(failure)):
            drive(a_send(), failure)

    @pytest.mark.parametrize("failure", [Timeout("t"), TransportError("t"), ConnectFailed("c"), ProtocolError("p")])
    def test_of_a_call_that_may_be_repeated_is_raised_unchanged(self, failure: WxError) -> None:
        with pytest.raises(type(failure)) as caught:
            drive(a_fetch(), failure)

        assert failure is caught.value

    @pytest.mark.parametrize("answer", [Response(status=500), Response(status=502, body=b"<html>")])
    def test_may_be_a_5xx(self, answer: Response) -> None:
        with pytest.raises(SendOutcomeUnknown):
            drive(a_send(), answer)
        with pytest.raises(TransportError, match="the server failed") as caught:
            drive(a_fetch(), answer)

        assert type(caught.value) is TransportError

    @pytest.mark.parametrize(
        "answer",
        [
            Response(body=b""),
            Response(body=b"<html>login</html>"),
            Response(body=b'{"BaseResponse":{"Ret":'),
            Response(status=302, headers=(("Location", "https://wx2.qq.com/"),), body=b'{"BaseResponse":{"Ret":0}}'),
            Response(status=404, body=b'{"BaseResponse":{"Ret":0}}'),
        ],
        ids=["empty", "html", "truncated", "redirect", "not found"],
    )
    def test_may_be_a_malformed_answer(self, answer: Response) -> None:
        with pytest.raises(SendOutcomeUnknown):
            drive(a_send(), answer)
        with pytest.raises(ProtocolError):
            drive(a_fetch(), answer)

    @pytest.mark.parametrize("body", WITHOUT_RET)
    @pytest.mark.parametrize("endpoint", JSON_CALLS, ids=lambda endpoint: endpoint.name)
    def test_may_be_an_answer_without_ret(self, endpoint: Endpoint[Any, Any], body: bytes) -> None:
        with pytest.raises(ProtocolError if endpoint.repeatable else SendOutcomeUnknown, match=endpoint.name):
            drive(call(endpoint, sample(endpoint.request), LOGIN.hosts), Response(body=body))

    @pytest.mark.parametrize("body", WITHOUT_RET)
    def test_may_be_an_answer_without_ret_to_a_fetch(self, body: bytes) -> None:
        with pytest.raises(ProtocolError, match="webwxsync"):
            drive(a_fetch(), Response(body=body))

    @pytest.mark.parametrize("body", WITHOUT_RET)
    @pytest.mark.parametrize(
        "endpoint",
        [each for each in ENDPOINTS if each not in JSON_CALLS and each.reply_shape is not MEDIA],
        ids=lambda endpoint: endpoint.name,
    )
    def test_may_be_an_answer_without_ret_to_a_call_with_its_own_code(
        self, endpoint: Endpoint[Any, Any], body: bytes
    ) -> None:
        try:
            answered = read(endpoint, Response(body=body))
        except ProtocolError:
            return
        assert (endpoint.name, answered.code) in {("jslogin", 0), ("login", 0)}, "0 is neither a code nor a scan"

    @pytest.mark.parametrize("message_id", [b"", b',"MsgID":""', b',"MsgID":null', b',"MsgID":"0"', b',"MsgID":0'])
    def test_of_a_send_is_an_answer_without_a_message_id(self, message_id: bytes) -> None:
        with pytest.raises(SendOutcomeUnknown, match="has no message id"):
            drive(a_send(), Response(body=b'{"BaseResponse":{"Ret":0}%b}' % message_id))

    @pytest.mark.parametrize("ret", [b"0", b'"0"', b"0.0", b'" 0 "'])
    def test_is_not_an_answer_with_ret_in_another_form(self, ret: bytes) -> None:
        body = b'{"BaseResponse":{"Ret":%b},"MsgID":"4600000000000000001"}' % ret
        assert drive(a_send(), Response(body=body))[0] == "4600000000000000001"

    def test_of_an_upload_leaves_an_unknown_outcome(self) -> None:
        flow = upload_chunk(LOGIN, FILE, STATE, 0)

        assert isinstance(next(flow), Read)
        flow.send(b"x")
        with pytest.raises(SendOutcomeUnknown):
            flow.throw(Timeout("t"))


@pytest.mark.parametrize(
    "answer", [refusal(1101), refusal(-1), Response(body=b"?"), Response(status=503), Timeout("t")]
)
def test_no_error_contains_a_key(answer: Response | Exception) -> None:
    with pytest.raises(WxError) as caught:
        drive(a_send(), answer)

    assert not [secret for secret in SECRETS if secret in repr(vars(caught.value)) + repr(caught.value)]


def test_a_refused_send_is_refused_although_its_answer_has_a_message_id() -> None:
    answer = Response(body=b'{"BaseResponse":{"Ret":1205},"MsgID":"4600000000000000001"}')

    with pytest.raises(RateLimited):
        drive(a_send(), answer)


def test_a_send_returns_the_servers_id() -> None:
    message_id, [request] = drive(a_send(), reply(TEXT, msg_id="4600000000000000001"))

    assert message_id == "4600000000000000001"
    assert request.endpoint == "webwxsendmsg"
