from email.utils import formatdate

import pytest

from webwx.protocol import ENDPOINTS
from webwx.protocol.contacts import WEBWXINIT, InitRequest
from webwx.protocol.http import Request
from webwx.protocol.login import (
    JSLOGIN,
    LOGIN_POLL,
    QR_PICTURE,
    Credentials,
    PollRequest,
    QrPictureRequest,
    QrRequest,
)
from webwx.protocol.messages import RECALL, STATUSNOTIFY, TEXT
from webwx.protocol.sync import WEBWXSYNC
from webwx.sandbox.answers import ANSWERS


def get(url):
    return Request(endpoint="any", method="GET", url=url)


def post(path, body, *, headers=()):
    url = f"http://127.0.0.1:8790/cgi-bin/mmwebwx-bin/{path}"
    return Request(endpoint="any", method="POST", url=url, headers=headers, body=body)


def test_every_endpoint_has_an_answer():
    assert {endpoint.name for endpoint in ENDPOINTS} == ANSWERS.keys()


def test_the_start_page_answers_and_unknown_paths_do_not(sandbox):
    assert sandbox.answer(get("http://127.0.0.1:8790/")).status == 200
    assert sandbox.answer(get("http://127.0.0.1:8790/favicon.ico")).status == 404


def test_paths_are_case_sensitive(sandbox):
    assert sandbox.answer(get("http://127.0.0.1:8790/JsLogin")).status == 404


def test_every_answer_carries_the_worlds_time(sandbox, world):
    world.wind(3600)
    for path in ("", "jslogin", "control/accounts", "nothing"):
        assert sandbox.answer(get(f"http://127.0.0.1:8790/{path}")).header("Date") == formatdate(world.now, usegmt=True)


def test_json_is_printed_as_the_platform_does_and_called_plain_text(page):
    response = page.ask(WEBWXSYNC, WEBWXSYNC.request())
    assert response.body.startswith(b'{\n"BaseResponse": {\n"Ret": 1101,\n"ErrMsg": ""\n}\n,\n"AddMsgCount": 0,\n')
    assert response.header("Content-Type") == "text/plain"


@pytest.mark.parametrize("endpoint", [WEBWXINIT, WEBWXSYNC, TEXT, RECALL, STATUSNOTIFY])
def test_an_unreadable_body_is_1200(sandbox, endpoint):
    response = sandbox.answer(post(endpoint.name, b"{not json"))
    assert endpoint.decode_reply(response).base_response.ret == 1200


def test_a_body_without_its_message_is_1200(sandbox):
    assert TEXT.decode_reply(sandbox.answer(post("webwxsendmsg", b"{}"))).base_response.ret == 1200


def test_an_unknown_session_gets_the_whole_object_empty(page):
    reply = page.call(WEBWXINIT, InitRequest(credentials=Credentials(sid="nobody")))
    assert reply.base_response.ret == 1101
    assert (reply.user.user_name, reply.skey, reply.chat_set, reply.contact_list) == ("", "", "", [])


def test_the_login_can_be_refused_at_every_stage(page, world):
    for name in ("jslogin", "login", "qrcode"):
        world.refuse_next(name, -1)
    assert page.call(JSLOGIN, QrRequest()).code == -1
    assert page.call(LOGIN_POLL, PollRequest(uuid="any")).code == 400
    assert page.call(QR_PICTURE, QrPictureRequest(uuid="any")).content == b""


def test_winding_to_a_moment_never_turns_the_clock_back(sandbox, world):
    start = world.now
    sandbox.wind_to(start + 10)
    sandbox.wind_to(start)
    assert world.now == start + 10
