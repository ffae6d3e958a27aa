"""Apprise: its server, its schemes, files, and refused requests."""

from __future__ import annotations

import base64

import pytest
from tests.gateway.notify.exchange import MULTIPART, NOW, TOKEN, multipart, post

NOTIFY = f"/notify/{TOKEN}"
HOOK = f"/hooks/apprise/{TOKEN}"
ENCODED = base64.b64encode(b"abc").decode()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"title": "T", "body": "**b**", "type": "failure"}, "🔴 T\n\n**b**"),
        ({"body": "**b**", "format": "markdown", "type": "warning"}, "🟠 b"),
        ({"body": "<b>b</b>", "format": "html", "type": "success"}, "🟢 b"),
        ({"body": "b", "type": "info"}, "b"),
        ({"body": "b", "attachment": "https://x.example/a"}, "b\nhttps://x.example/a"),
        ({"body": "b", "attachments": [{"url": "https://x.example/a"}]}, "b\nhttps://x.example/a"),
    ],
)
def test_a_message_is_read(body: object, text: str) -> None:
    assert text == post("apprise", NOTIFY, body).text


@pytest.mark.parametrize(
    ("attachment", "name"),
    [
        ({"filename": "../a.txt", "base64": ENCODED, "mimetype": "text/plain"}, "a.txt"),
        (f"data:text/plain;filename=a.txt;base64,{ENCODED}", "a.txt"),
        (ENCODED, "attachment"),
    ],
)
def test_a_file_in_json_is_read(attachment: object, name: str) -> None:
    [file] = post("apprise", HOOK, {"message": "m", "attachments": [attachment]}).message.files
    assert (file.name, file.content) == (name, b"abc")


def test_files_of_a_form_are_read() -> None:
    body = multipart({"body": "b", "type": "info"}, {"file01": ("a.txt", b"a"), "file02": ("b.txt", b"b")})
    files = post("apprise", NOTIFY, body, headers=MULTIPART).message.files
    assert [(file.name, file.content) for file in files] == [("a.txt", b"a"), ("b.txt", b"b")]


def test_xml_is_read() -> None:
    xml = (
        '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        "<Notification><Version>1.1</Version><Subject>T</Subject><MessageType>warning</MessageType>"
        f'<Message>m &amp; n</Message><Attachments format="base64"><Attachment filename="a.txt" mimetype="text/plain">'
        f"{ENCODED}</Attachment></Attachments></Notification></soapenv:Body></soapenv:Envelope>"
    )
    done = post("apprise", HOOK, xml, headers={"content-type": "application/xml"})
    assert (done.text, done.message.files[0].content) == ("🟠 T\n\nm & n", b"abc")


@pytest.mark.parametrize("xml", ["<a", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_broken_or_dangerous_xml_is_refused(xml: str) -> None:
    assert post("apprise", HOOK, xml, headers={"content-type": "text/xml"}).answer.status == 400


def test_xml_beyond_the_parsers_limit_is_too_large() -> None:
    xml = "<a>" + "a" * 1024 * 1024 + "</a>"
    assert post("apprise", HOOK, xml, headers={"content-type": "text/xml"}).answer.status == 431


def test_an_attachment_that_is_not_base64_is_refused() -> None:
    assert post("apprise", HOOK, {"message": "m", "attachments": ["!"]}).answer.status == 400


def test_the_id_of_a_request_is_its_idempotency_key() -> None:
    done = post("apprise", "/notify", {"body": "b"}, headers={"x-apprise-config-id": TOKEN, "x-apprise-id": "i"})
    assert done.notification is not None
    assert done.notification.idempotency_key == "i"


def test_a_request_to_other_services_is_refused() -> None:
    headers = {"x-apprise-config-id": TOKEN}
    assert post("apprise", "/notify", {"body": "b", "urls": "json://x"}, headers=headers).answer.status == 403


@pytest.mark.parametrize(("hops", "status"), [("0", 200), ("1", 200), ("2", 406), ("x", 406), ("9" * 5000, 406)])
def test_a_request_that_was_forwarded_too_often_is_refused(hops: str, status: int) -> None:
    done = post("apprise", NOTIFY, {"body": "b"}, headers={"x-apprise-recursion-count": hops})
    assert status == done.answer.status


def test_a_wrong_key_is_an_error_for_the_schemes() -> None:
    assert post("apprise", "/hooks/apprise/wrong", {"message": "m"}).answer.status == 404


def test_a_form_gets_an_answer_in_text() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert post("apprise", NOTIFY, "body=b", headers=headers).answer.body == b""
    assert post("apprise", NOTIFY, "body=", headers=headers).answer.body == b"no text and no file"
    assert post("apprise", NOTIFY, "body=b", headers={**headers, "accept": "application/json"}).json == {"error": None}


def test_signal_has_its_own_answer() -> None:
    body = {"message": "T\r\nm", "number": "+86138", "recipients": ["+86139"], "base64_attachments": [ENCODED]}
    done = post("apprise", "/v2/send", body, headers={"authorization": f"Bearer {TOKEN}"})
    assert (done.answer.status, done.json) == (201, {"timestamp": str(int(NOW * 1000))})
    assert (done.text, done.message.files[0].content) == ("T\nm", b"abc")
    assert post("apprise", "/v2/send", body, headers={"authorization": "Bearer x"}).answer.status == 401
