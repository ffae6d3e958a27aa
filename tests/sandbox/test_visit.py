import msgspec
import pytest
from msgspec.structs import replace

from webwx.protocol.codec import FilePart
from webwx.protocol.contacts import GETCONTACT, ContactsRequest
from webwx.protocol.hosts import single
from webwx.protocol.login import Credentials
from webwx.protocol.media import UPLOAD, UploadRequest, UploadTicket
from webwx.protocol.sync import WEBWXSYNC, SyncRequest
from webwx.sandbox.switches import Switches

HOSTS = single("http://127.0.0.1:8790")


def sync_ret(page, request, *, cookie=""):
    headers = (("Cookie", cookie),) if cookie else ()
    return page.call(WEBWXSYNC, request, headers=headers).base_response.ret


def test_the_session_is_found_by_cookie_query_or_body(me):
    sid = me.credentials.sid
    assert sync_ret(me, SyncRequest(), cookie=f"wxuin=1; wxsid={sid}") == 0
    assert sync_ret(me, SyncRequest(sid=sid)) == 0
    assert sync_ret(me, SyncRequest(credentials=Credentials(sid=sid))) == 0
    assert sync_ret(me, SyncRequest()) == 1101


def test_the_cookie_decides_before_the_query_and_the_query_before_the_body(me):
    good = Credentials(sid=me.credentials.sid)
    assert sync_ret(me, SyncRequest(sid=good.sid), cookie="wxsid=other") == 1101
    assert sync_ret(me, SyncRequest(sid="other", credentials=good)) == 1101


def test_an_upload_is_known_by_the_ticket_inside_it(me):
    ticket = msgspec.json.encode(UploadTicket(credentials=me.credentials)).decode()
    request = UploadRequest(uploadmediarequest=ticket, filename=FilePart(name="a.png", content=b"x"))
    assert me.call(UPLOAD, request).base_response.ret == 0


def test_a_raw_plus_in_the_query_stays_a_plus(me, sandbox):
    request = WEBWXSYNC.encode_request(SyncRequest(), HOSTS)
    raw = replace(request, url=f"{request.url}?sid={me.credentials.sid}&skey={me.credentials.skey}")
    assert WEBWXSYNC.decode_reply(sandbox.answer(raw)).base_response.ret == 0


@pytest.mark.parametrize("skey", ["", "@crypt_never_given"])
@pytest.mark.parametrize("device_id", ["", "e000000000000000", "a pass_ticket"])
@pytest.mark.parametrize("uin", [1, "1"])
def test_neither_skey_nor_device_id_nor_uin_decides_who_is_calling(me, skey, device_id, uin):
    credentials = Credentials(uin=uin, sid=me.credentials.sid, skey=skey, device_id=device_id)
    assert sync_ret(me, SyncRequest(credentials=credentials, pass_ticket="wrong")) == 0


@pytest.mark.parametrize("switches", [Switches(strict_skey=True)])
def test_a_foreign_skey_is_refused_by_a_switch_wherever_it_stands(me):
    sid = me.credentials.sid
    cookie = (("Cookie", f"wxsid={sid}"),)
    for skey, ret in ((me.credentials.skey, 0), (me.init().skey, 0), ("", 0), ("@crypt_never_given", 1102)):
        assert sync_ret(me, SyncRequest(credentials=Credentials(sid=sid, skey=skey))) == ret
        assert me.call(GETCONTACT, ContactsRequest(skey=skey), headers=cookie).base_response.ret == ret
