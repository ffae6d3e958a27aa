from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace
from tests.sandbox.conftest import Page, answered

from webwx.protocol.codec import FilePart
from webwx.protocol.contacts import GETCONTACT, ContactsRequest
from webwx.protocol.hosts import FAMILIES, single
from webwx.protocol.login import LOGOUT, Credentials, LogoutRequest
from webwx.protocol.media import UPLOAD, UploadRequest, UploadTicket
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckRequest, SyncRequest
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.world import World

HOSTS = single("http://127.0.0.1:8790")


def sync_ret(page: Page, request: SyncRequest, *, cookie: str = "") -> int:
    headers = (("Cookie", cookie),) if cookie else ()
    return page.call(WEBWXSYNC, request, headers=headers).base_response.ret


def test_the_session_is_found_by_cookie_query_or_body(me: Page) -> None:
    sid = me.credentials.sid
    assert sync_ret(me, SyncRequest(), cookie=f"wxuin=1; wxsid={sid}") == 0
    assert sync_ret(me, SyncRequest(sid=sid)) == 0
    assert sync_ret(me, SyncRequest(credentials=Credentials(sid=sid))) == 0
    assert sync_ret(me, SyncRequest()) == 1101


@pytest.mark.parametrize(("body", "ret"), [(b'{"BaseRequest": {"Sid": "%s"}}', 0), (b"sid=%s", 1101), (b"", 1101)])
def test_a_body_is_accepted_where_none_is_needed(me: Page, sandbox: SandboxCore, body: bytes, ret: int) -> None:
    body = body.replace(b"%s", me.credentials.sid.encode())
    request = replace(GETCONTACT.encode_request(ContactsRequest(), HOSTS), method="POST", body=body)
    assert GETCONTACT.decode_reply(answered(sandbox, request)).base_response.ret == ret


def test_a_wrong_sid_is_refused_beside_a_good_one(me: Page, friend: Page) -> None:
    good = me.credentials.sid
    for wrong in ("other", friend.credentials.sid):
        credentials = Credentials(sid=wrong)
        assert sync_ret(me, SyncRequest(sid=good), cookie=f"wxsid={wrong}") == 1101
        assert sync_ret(me, SyncRequest(sid=wrong), cookie=f"wxsid={good}") == 1101
        assert sync_ret(me, SyncRequest(sid=good, credentials=credentials)) == 1101
        assert sync_ret(me, SyncRequest(credentials=credentials), cookie=f"wxsid={good}") == 1101


def test_a_wrong_sid_is_refused_by_polls_uploads_and_logouts_beside_good_cookies(me: Page) -> None:
    cookies = (("Cookie", f"wxsid={me.credentials.sid}"),)
    ticket = msgspec.json.encode(UploadTicket(credentials=Credentials(sid="other"))).decode()
    part = FilePart(name="a.png", content=b"x", boundary="X")
    assert me.call(SYNCCHECK, CheckRequest(sid="other"), headers=cookies).retcode == 1101
    upload = UploadRequest(uploadmediarequest=ticket, filename=part)
    assert me.call(UPLOAD, upload, headers=cookies).base_response.ret == 1101
    assert me.call(LOGOUT, LogoutRequest(sid="other"), headers=cookies).base_response.ret == 1101
    assert me.call(LOGOUT, LogoutRequest(sid=me.credentials.sid), headers=cookies).base_response.ret == 0


def test_the_session_of_an_upload_is_found_by_its_ticket(me: Page) -> None:
    ticket = msgspec.json.encode(UploadTicket(credentials=me.credentials)).decode()
    request = UploadRequest(uploadmediarequest=ticket, filename=FilePart(name="a.png", content=b"x", boundary="X"))
    assert me.call(UPLOAD, request).base_response.ret == 0


def test_a_raw_plus_in_the_query_stays_a_plus(me: Page, sandbox: SandboxCore) -> None:
    request = WEBWXSYNC.encode_request(SyncRequest(), HOSTS)
    raw = replace(request, url=f"{request.url}?sid={me.credentials.sid}&skey={me.credentials.skey}")
    assert WEBWXSYNC.decode_reply(answered(sandbox, raw)).base_response.ret == 0


@pytest.mark.parametrize("skey", ["", "@crypt_never_given"])
@pytest.mark.parametrize("device_id", ["", "e000000000000000", "a pass_ticket"])
@pytest.mark.parametrize("uin", [1, "1"])
def test_skey_device_id_and_uin_do_not_select_the_session(me: Page, skey: str, device_id: str, uin: int | str) -> None:
    credentials = Credentials(uin=uin, sid=me.credentials.sid, skey=skey, device_id=device_id)
    assert sync_ret(me, SyncRequest(credentials=credentials, pass_ticket="wrong")) == 0


@pytest.mark.parametrize("options", [Options(strict_skey=True)])
def test_with_an_option_a_wrong_skey_is_refused_at_any_place(me: Page) -> None:
    sid = me.credentials.sid
    cookie = (("Cookie", f"wxsid={sid}"),)
    for skey, ret in ((me.credentials.skey, 0), (me.init().skey, 0), ("", 0), ("@crypt_never_given", 1102)):
        assert sync_ret(me, SyncRequest(credentials=Credentials(sid=sid, skey=skey))) == ret
        assert me.call(GETCONTACT, ContactsRequest(skey=skey), headers=cookie).base_response.ret == ret


# -- File Transfer Helper --------------------------------------------------------------------------------------------


@pytest.fixture
def helper(new_page: Callable[..., Page]) -> Page:
    """小明 logged in to File Transfer Helper."""
    page = new_page()
    page.headers = (("mmweb_appid", "wx_webfilehelper"),)
    return page.login()


def test_file_transfer_helper_shows_one_chat(helper: Page) -> None:
    reply = helper.init()
    assert [msgspec.json.decode(raw)["UserName"] for raw in reply.contact_list] == ["filehelper"]
    assert reply.chat_set == "filehelper,"
    assert reply.user.user_name.startswith("@")


def test_file_transfer_helper_gets_changes_of_its_chat_only(helper: Page, world: World) -> None:
    world.say("ahua", "me", "在吗")
    world.befriend("me", "ahua", remark="老板")
    world.recall("ahua", "me")
    world.say("me", "filehelper", "从手机发的")
    world.recall("me", "filehelper")
    reply = helper.fetch()
    assert (reply.mod_contact_count, reply.add_msg_count) == (0, 2)
    assert [(m.from_user_name, m.to_user_name) for m in helper.messages()] == [(helper.me, "filehelper")] * 2


def test_file_transfer_helper_writes_to_one_chat(helper: Page, world: World) -> None:
    name = helper.name("ahua")
    assert helper.send_text(name, "在吗").base_response.ret == 1204
    assert helper.send_text("filehelper", "明天").base_response.ret == 0
    assert [message.text for message in world.inbox("me")["filehelper"].messages] == ["明天"]
    assert "ahua" not in world.inbox("me")


# -- strictness about hosts and cookies ------------------------------------------------------------------------------


@pytest.fixture
def family(new_page: Callable[..., Page]) -> Page:
    """小明 logged in on the hosts of wx2.qq.com."""
    page = new_page()
    page.hosts = FAMILIES["wx2.qq.com"]
    return page.login()


@pytest.mark.parametrize("options", [Options(strict_hosts=True)])
@pytest.mark.parametrize(
    ("part", "host", "retcode"),
    [
        ("push", "https://webpush.wx2.qq.com", "0"),
        ("push", "https://webpush.wx.qq.com", "1101"),
        ("push", "https://wx2.qq.com", "1101"),
        ("push", "http://127.0.0.1:8790", "1101"),
    ],
)
def test_a_poll_of_a_wrong_host_ends_the_session(
    family: Page, world: World, part: str, host: str, retcode: str
) -> None:
    world.say("ahua", "me", "在吗")
    family.hosts = replace(family.hosts, **{part: host})
    assert f'retcode:"{retcode}"' in family.check().body.decode()


@pytest.mark.parametrize("options", [Options(strict_hosts=True)])
def test_an_old_client_may_poll_an_old_host(new_page: Callable[..., Page]) -> None:
    page = new_page()
    page.hosts = replace(FAMILIES["wx.qq.com"], push="https://webpush2.weixin.qq.com")
    page.login().hold_check()


@pytest.mark.parametrize("options", [Options(strict_hosts=True)])
def test_one_plain_origin_answers_every_call(me: Page) -> None:
    assert me.fetch().base_response.ret == 0


@pytest.mark.parametrize("options", [Options(strict_cookies=True)])
def test_without_its_cookies_a_session_is_unknown(family: Page, world: World) -> None:
    sid = family.credentials.sid
    request = SyncRequest(sid=sid, credentials=family.credentials, sync_key=family.sync_key)
    assert sync_ret(family, request) == 1100
    assert sync_ret(family, request, cookie=f"wxsid={sid}") == 0


@pytest.mark.parametrize("options", [Options(strict_cookies=True)])
def test_the_file_host_needs_its_own_ticket(family: Page, world: World) -> None:
    ticket = msgspec.json.encode(UploadTicket(credentials=family.credentials)).decode()
    request = UploadRequest(uploadmediarequest=ticket, filename=FilePart(name="a.png", content=b"x", boundary="X"))
    known = family.session.keys.data_ticket
    sid = f"wxsid={family.credentials.sid}"
    answers = [
        family.call(UPLOAD, request, headers=(("Cookie", f"{sid}; webwx_data_ticket={t}"),)) for t in ("x", known)
    ]
    assert [answer.base_response.ret for answer in answers] == [1100, 0]
