"""WeCom: every type of message, uploads, and application messages."""

from __future__ import annotations

import base64
import hashlib

import pytest
from tests.gateway.notify.exchange import MULTIPART, NOW, TOKEN, Exchange, multipart, post, refused

from webwx.gateway.notify.refusal import RefusalReason

PICTURE = b"\x89PNG picture"


def send(msgtype: str, content: object) -> Exchange:
    return post("wecom", f"/cgi-bin/webhook/send?key={TOKEN}", {"msgtype": msgtype, msgtype: content})


@pytest.mark.parametrize(
    ("msgtype", "content", "text"),
    [
        ("text", {"content": "a", "mentioned_list": ["@all"], "mentioned_mobile_list": ["138"]}, "a\n@all @138"),
        ("markdown", {"content": "# T\n<font color=\"warning\">x</font>\n> q"}, "【T】\nx\n\n│ q"),
        ("news", {"articles": [{"title": "t", "description": "d", "url": "u"}, {"title": "t2"}]}, "t\nd\nu\n\nt2"),
        ("news", {"articles": [{"title": str(n)} for n in range(20)]}, "\n\n".join("01234567")),
        ("textcard", {"title": "t", "description": "d", "url": "u"}, "t\n\nd\nu"),
        (
            "template_card",
            {
                "card_type": "text_notice", "main_title": {"title": "t", "desc": "d"},
                "emphasis_content": {"title": "100", "desc": "count"}, "quote_area": {"quote_text": "q"},
                "sub_title_text": "s", "horizontal_content_list": [{"keyname": "k", "value": "v"}, {"keyname": "k2"}],
                "jump_list": [{"type": 1, "title": "more", "url": "u1"}], "card_action": {"type": 1, "url": "u2"},
            },
            "t\n\nd\n100 count\ns\n│ q\nk: v\nk2\nmore u1\nu2",
        ),
    ],
)  # fmt: skip
def test_a_message_is_rendered(msgtype: str, content: object, text: str) -> None:
    assert text == send(msgtype, content).text


def test_an_empty_text_is_accepted_and_not_sent() -> None:
    done = send("text", {"content": ""})
    assert (done.notification, done.json) == (None, {"errcode": 0, "errmsg": "ok"})


def test_a_picture_is_checked() -> None:
    encoded = base64.b64encode(PICTURE).decode()
    digest = hashlib.md5(PICTURE, usedforsecurity=False).hexdigest()
    [file] = send("image", {"base64": encoded, "md5": digest}).message.files
    assert (file.name, file.content) == ("picture.png", PICTURE)
    assert send("image", {"base64": encoded, "md5": "0"}).json["errcode"] == 40009
    assert send("image", {"base64": "!", "md5": digest}).json["errcode"] == 40058
    assert send("image", {"base64": f"!{encoded}", "md5": digest}).json["errcode"] == 40058
    assert send("image", {}).json["errcode"] == 40058


def test_an_unknown_type_is_refused() -> None:
    assert send("miniprogram", {}).json == {"errcode": 40008, "errmsg": "invalid message type"}


def test_a_file_is_uploaded_and_sent() -> None:
    body = multipart({}, {"media": ("报告.pdf", b"%PDF")})
    done = post("wecom", f"/cgi-bin/webhook/upload_media?key={TOKEN}&type=file", body, headers=MULTIPART)
    assert done.upload is not None
    assert (done.upload.attachment.name, done.upload.attachment.content) == ("报告.pdf", b"%PDF")
    assert done.upload.seconds == 3 * 24 * 3600
    assert done.json == {
        "errcode": 0, "errmsg": "ok", "type": "file", "media_id": "file-1", "created_at": str(int(NOW)),
    }  # fmt: skip
    sent = send("file", {"media_id": "file-1"})
    assert sent.notification is not None
    assert sent.notification.uploads == ("file-1",)


@pytest.mark.parametrize(
    ("reason", "status"),
    [(RefusalReason.RATE_LIMITED, 429), (RefusalReason.OFFLINE, 503), (RefusalReason.TOO_LARGE, 413),
     (RefusalReason.UNKNOWN_TOKEN, 200)],
)  # fmt: skip
def test_a_refusal_that_a_client_should_repeat_or_shorten_has_a_status(reason: RefusalReason, status: int) -> None:
    assert refused("wecom", f"/cgi-bin/webhook/send?key={TOKEN}", reason).status == status


def test_an_upload_without_a_file_is_refused() -> None:
    done = post("wecom", f"/cgi-bin/webhook/upload_media?key={TOKEN}", multipart({"a": "b"}, {}), headers=MULTIPART)
    assert done.json["errcode"] == 40058


def test_an_application_gets_an_access_token_and_sends() -> None:
    token = post("wecom", f"/cgi-bin/gettoken?corpid=c&corpsecret={TOKEN}", method="GET").json
    assert (token["errcode"], token["expires_in"]) == (0, 7200)
    message = {"touser": "@all", "agentid": "1", "msgtype": "text", "text": {"content": "a"}, "safe": "0"}
    done = post("wecom", f"/cgi-bin/message/send?access_token={token['access_token']}", message)
    assert (done.text, done.json["errcode"], done.json["msgid"]) == ("a", 0, "7")


def test_an_application_with_an_expired_token_gets_a_new_one() -> None:
    assert b"42001" in refused("wecom", "/cgi-bin/message/send", RefusalReason.UNKNOWN_TOKEN).body
    assert b"40001" in refused("wecom", "/cgi-bin/gettoken", RefusalReason.UNKNOWN_TOKEN, method="GET").body
