from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest
from tests.samples import sample
from tests.sandbox.conftest import Page, answered

from webwx.protocol import ENDPOINTS
from webwx.protocol.contacts import (
    WEBWXINIT,
    InitRequest,
)
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.http import Headers, Request
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
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.handlers import HANDLERS
from webwx.sandbox.world import World


def get(url: str) -> Request:
    return Request(endpoint="any", method="GET", url=url)


def post(path: str, body: bytes, *, headers: Headers = ()) -> Request:
    url = f"http://127.0.0.1:8790/cgi-bin/mmwebwx-bin/{path}"
    return Request(endpoint="any", method="POST", url=url, headers=headers, body=body)


def test_every_endpoint_has_an_answer() -> None:
    assert {endpoint.name for endpoint in ENDPOINTS} == HANDLERS.keys()


def test_the_start_page_leads_to_the_phones_and_unknown_paths_do_not_exist(sandbox: SandboxCore) -> None:
    start_page = answered(sandbox, get("http://127.0.0.1:8790/"))
    assert (start_page.status, b'<a href="/phone">' in start_page.body) == (200, True)
    assert answered(sandbox, get("http://127.0.0.1:8790/favicon.ico")).status == 404


def test_paths_are_case_sensitive(sandbox: SandboxCore) -> None:
    assert answered(sandbox, get("http://127.0.0.1:8790/JsLogin")).status == 404


def test_every_answer_carries_the_worlds_time(sandbox: SandboxCore, world: World) -> None:
    world.wind(3600)
    for path in ("", "jslogin", "control/accounts", "nothing"):
        assert answered(sandbox, get(f"http://127.0.0.1:8790/{path}")).header("Date") == formatdate(
            world.now, usegmt=True
        )


def test_json_is_formatted_as_on_the_platform_and_its_type_is_plain_text(page: Page) -> None:
    response = page.ask(WEBWXSYNC, WEBWXSYNC.request())
    assert response.body.startswith(b'{\n"BaseResponse": {\n"Ret": 1101,\n"ErrMsg": ""\n}\n,\n"AddMsgCount": 0,\n')
    assert response.header("Content-Type") == "text/plain"


@pytest.mark.parametrize("endpoint", [WEBWXINIT, WEBWXSYNC, TEXT, RECALL, STATUSNOTIFY])
def test_an_unreadable_body_is_1200(sandbox: SandboxCore, endpoint: Endpoint[Any, Any]) -> None:
    response = answered(sandbox, post(endpoint.name, b"{not json"))
    assert endpoint.decode_reply(response).base_response.ret == 1200


def test_a_body_without_its_message_is_1200(sandbox: SandboxCore) -> None:
    assert TEXT.decode_reply(answered(sandbox, post("webwxsendmsg", b"{}"))).base_response.ret == 1200


def test_an_unknown_session_gets_the_complete_object_with_empty_fields(page: Page) -> None:
    reply = page.call(WEBWXINIT, InitRequest(credentials=Credentials(sid="unknown")))
    assert reply.base_response.ret == 1101
    assert (reply.user.user_name, reply.skey, reply.chat_set, reply.contact_list) == ("", "", "", [])


def test_the_login_can_be_refused_at_every_stage(page: Page, world: World) -> None:
    for name in ("jslogin", "login", "qrcode"):
        world.refuse_next(name, -1)
    assert page.call(JSLOGIN, QrRequest()).code == -1
    assert page.call(LOGIN_POLL, PollRequest(uuid="any")).code == 400
    assert page.call(QR_PICTURE, QrPictureRequest(uuid="any")).content == b""


def test_winding_to_a_time_never_moves_the_clock_back(sandbox: SandboxCore, world: World) -> None:
    start = world.now
    sandbox.wind_to(start + 10)
    sandbox.wind_to(start)
    assert world.now == start + 10


@pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if not each.on_filehelper], ids=lambda endpoint: endpoint.name
)
def test_file_transfer_helper_has_no_contacts_chatrooms_and_friend_requests(
    page: Page, endpoint: Endpoint[Any, Any]
) -> None:
    page.headers = (("mmweb_appid", "wx_webfilehelper"),)
    page.login()
    assert page.call(endpoint, sample(endpoint.request)).base_response.ret == 1


UPLOAD_URL = "https://file.wx2.qq.com/cgi-bin/mmwebwx-bin/webwxuploadmedia"
POLL_URL = "https://webpush.wx2.qq.com/cgi-bin/mmwebwx-bin/synccheck"
ENTRY = "https://szfilehelper.weixin.qq.com"


@pytest.mark.parametrize(
    ("url", "origin", "status", "is_allowed"),
    [
        (UPLOAD_URL, ENTRY, 200, True),
        (POLL_URL, ENTRY, 200, True),
        (UPLOAD_URL, "https://evil.example", 200, False),
        (UPLOAD_URL, "https://szfilehelper.weixin.qq.com.evil.example", 200, False),
        (UPLOAD_URL.replace("https://file.wx2.qq.com", "http://127.0.0.1:8790"), ENTRY, 200, False),
        (POLL_URL, "https://evil.example", 404, False),
        ("http://127.0.0.1:8790/control/say", ENTRY, 403, False),
    ],
)
def test_a_browser_may_let_pages_of_the_platform_upload_and_no_others(
    sandbox: SandboxCore, url: str, origin: str, status: int, is_allowed: bool
) -> None:
    headers = (("Origin", origin), ("Access-Control-Request-Headers", "mmweb_appid,x-own"))
    answer = answered(sandbox, Request(endpoint="any", method="OPTIONS", url=url, headers=headers))
    assert answer.status == status
    allowed = (ENTRY, "true", "mmweb_appid,x-own") if is_allowed else ("", "", "")
    names = ("Origin", "Credentials", "Headers")
    assert tuple(answer.header(f"Access-Control-Allow-{name}") for name in names) == allowed


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/jslogin"), ("GET", "//jslogin/"), ("POST", "/jslogin")])
def test_a_call_is_recognised_with_doubled_slashes_and_as_a_head_request(
    sandbox: SandboxCore, method: str, path: str
) -> None:
    answer = answered(sandbox, Request(endpoint="any", method=method, url=f"http://127.0.0.1:8790{path}?appid=x"))
    assert answer.body.startswith(b"window.QRLogin.code = 200")


def test_the_answer_to_a_page_of_the_platform_allows_it_to_read(sandbox: SandboxCore) -> None:
    asked = Request(endpoint="any", method="POST", url=UPLOAD_URL, headers=(("Origin", ENTRY),))
    assert answered(sandbox, asked).header("Access-Control-Allow-Origin") == ENTRY
