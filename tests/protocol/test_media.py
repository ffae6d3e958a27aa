"""Upload and download of pictures."""

from __future__ import annotations

import json

import pytest

from webwx.protocol.codec import FilePart, read_json, write_json
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.http import Request, Response
from webwx.protocol.login import Credentials
from webwx.protocol.media import (
    GETMSGIMG,
    UPLOAD,
    ImageDownloadRequest,
    UploadReply,
    UploadRequest,
    UploadTicket,
    image_type,
    is_video,
    is_voice,
    picture_type,
)

HOSTS = FAMILIES["wx2.qq.com"]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\0", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"GIF87a", "image/gif"),
        (b"BM6", "image/bmp"),
        (b"", ""),
        (b"\xff\xd8", ""),
        (b"<html>", ""),
        (b"{", ""),
        (b" \x89PNG\r\n\x1a\n", ""),
    ],
)
def test_a_picture_is_recognised_by_its_first_bytes(start: bytes, kind: str) -> None:
    assert image_type(start) == kind
    assert picture_type(start) == kind


def test_webp_is_a_picture_for_browsers_and_a_file_for_the_platform() -> None:
    start = b"RIFF\x10\0\0\0WEBPVP8 "
    assert picture_type(start) == "image/webp"
    assert image_type(start) == ""
    assert picture_type(b"RIFF\x10\0\0\0WAVEfmt ") == ""


@pytest.mark.parametrize(
    ("start", "is_one"),
    [(b"\0\0\0\x18ftypmp42", True), (b"\0\0\0\x08wide", True), (b"ftyp", False), (b"", False), (b"<html>  ", False)],
)
def test_a_video_is_recognised_by_its_first_box(start: bytes, is_one: bool) -> None:
    assert is_video(start) is is_one


@pytest.mark.parametrize(
    ("start", "is_one"),
    [
        (b"ID3", True),
        (b"\xff\xf3\x18", True),
        (b"#!AMR\n", True),
        (b"\xff", False),
        (b"\xff\x0f", False),
        (b"{", False),
    ],
)
def test_a_voice_is_recognised_by_its_first_bytes(start: bytes, is_one: bool) -> None:
    assert is_voice(start) is is_one


class TestUpload:
    VALUE = UploadRequest(
        name="照片.png",
        type="image/png",
        size=5,
        mediatype="pic",
        uploadmediarequest="{}",
        webwx_data_ticket="gS",
        filename=FilePart(name="照片.png", content_type="image/png", content=b"PNG", boundary="X"),
    )

    def test_an_upload_goes_to_the_file_host_with_the_fields_in_the_order_of_the_page(self) -> None:
        request = UPLOAD.encode_request(self.VALUE, HOSTS)
        assert request.url == "https://file.wx2.qq.com/cgi-bin/mmwebwx-bin/webwxuploadmedia?f=json"
        names = [part.split(b'"')[1] for part in request.content.split(b"form-data; name=")[1:]]
        assert names == [
            b"id", b"name", b"type", b"size", b"mediatype", b"uploadmediarequest", b"webwx_data_ticket", b"filename",
        ]  # fmt: skip

    def test_chunk_fields_are_sent_only_when_there_are_several(self) -> None:
        assert b'name="chunk"' not in UPLOAD.encode_request(self.VALUE, HOSTS).content

    def test_an_upload_with_its_ticket_first_and_without_an_id_is_decoded(self) -> None:
        body = (
            b'--X\r\nContent-Disposition: form-data; name="uploadmediarequest"\r\n\r\n{"UploadType":2}\r\n'
            b'--X\r\nContent-Disposition: form-data; name="name"\r\n\r\n/home/me/a b.png\r\n'
            b'--X\r\nContent-Disposition: form-data; name="filename"; filename="a b.png"\r\n\r\nPNG\r\n--X--\r\n'
        )
        url = "https://file.wx2.qq.com/cgi-bin/mmwebwx-bin/webwxuploadmedia?f=json"
        headers = (("content-type", "multipart/form-data; boundary=X"),)
        read = UPLOAD.decode_request(Request(endpoint="", method="POST", url=url, headers=headers, body=body))
        assert (read.name, read.uploadmediarequest, read.filename.content) == (
            "/home/me/a b.png",
            '{"UploadType":2}',
            b"PNG",
        )

    def test_the_ticket_is_json_with_the_platforms_names(self) -> None:
        ticket = UploadTicket(credentials=Credentials(uin=5), client_media_id=1560000000123, total_len=5, file_md5="m")
        assert list(json.loads(write_json(ticket))) == [
            "UploadType", "BaseRequest", "ClientMediaId", "TotalLen", "StartPos", "DataLen", "MediaType",
            "FromUserName", "ToUserName", "FileMd5",
        ]  # fmt: skip
        assert read_json(b'{"UploadType":2}', UploadTicket) == UploadTicket()

    def test_the_reply_names_the_media_and_has_the_platforms_capitals(self) -> None:
        body = json.loads(UPLOAD.encode_reply(UploadReply(media_id="@crypt_m")).body)
        assert body["MediaId"] == "@crypt_m"
        assert {"CDNThumbImgHeight", "CDNThumbImgWidth", "EncryFileName", "StartPos"} <= set(body)


class TestDownload:
    def test_a_picture_is_requested_by_its_message(self) -> None:
        request = GETMSGIMG.encode_request(ImageDownloadRequest(message_id="29", skey="@crypt_1"), HOSTS)
        assert request.query == "MsgID=29&skey=%40crypt_1"

    @pytest.mark.parametrize("name", ["MsgID", "msgid", "MsgId"])
    def test_other_clients_spell_the_id_differently(self, name: str) -> None:
        url = f"https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxgetmsgimg?{name}=29&type=big"
        read = GETMSGIMG.decode_request(Request(endpoint="", method="GET", url=url))
        assert read == ImageDownloadRequest(message_id="29", type="big")

    @pytest.mark.parametrize("body", [b"", b"<html>", b'{"BaseResponse":{"Ret":1101}}', b"\x89PNG"])
    def test_any_body_is_returned_as_bytes(self, body: bytes) -> None:
        assert GETMSGIMG.decode_reply(Response(body=body)).content == body


@pytest.mark.parametrize(
    "value",
    [
        UploadTicket(credentials=Credentials(sid="secret")),
        UploadRequest(
            uploadmediarequest="secret", webwx_data_ticket="secret", pass_ticket="secret",
            filename=FilePart(name="secret", content=b"secret", boundary="X"),
        ),
        ImageDownloadRequest(skey="secret"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_no_repr_shows_a_key(value: object) -> None:
    assert "secret" not in repr(value)
