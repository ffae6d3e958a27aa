"""Upload by chunks in order, download with suspicion."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from tests.flows.drive import drive, refusal, reply
from tests.saved import LOGIN, ME

from webwx.errors import ApiError, LoggedOut, MediaUnavailable, RateLimited
from webwx.flows.media import Upload, download_image, upload
from webwx.protocol.codes import CHUNK_SIZE
from webwx.protocol.http import Read, Response
from webwx.protocol.media import GETMSGIMG, UPLOAD, UploadRequest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def file_of(content: bytes) -> Upload:
    """A picture on its way."""
    return Upload(
        source=content, name="我的 a+b.png", size=len(content), md5=hashlib.md5(content).hexdigest(),
        content_type="image/png", kind="pic", modified="Sat Jun 08 2019",
    )  # fmt: skip


def chunked(content: bytes) -> list[bytes]:
    return [content[start : start + CHUNK_SIZE] for start in range(0, len(content), CHUNK_SIZE)]


def send(content: bytes) -> tuple[str, list[Read], list[UploadRequest]]:
    """Upload a file, and give what was read of it and what the server decoded."""
    chunks = chunked(content)
    answers = [reply(UPLOAD)] * (len(chunks) - 1) + [reply(UPLOAD, media_id="@crypt_media")]
    told = [each for pair in zip(chunks, answers, strict=True) for each in pair]
    media_id, steps = drive(upload(LOGIN, file_of(content), "filehelper", 1560000000123, "gStick+et"), *told)
    return media_id, steps[::2], [UPLOAD.decode_request(step) for step in steps[1::2]]


class TestUpload:
    @pytest.mark.parametrize(
        "size", [1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 2 * CHUNK_SIZE + 1]
    )
    def test_e1_the_chunks_make_up_the_file_in_order(self, size: int) -> None:
        content = bytes(range(256)) * (size // 256) + bytes(size % 256)
        media_id, reads, requests = send(content)

        assert media_id == "@crypt_media"
        assert content == b"".join(request.filename.content for request in requests)
        assert [at * CHUNK_SIZE for at in range(len(requests))] == [read.start for read in reads]

    def test_e1_chunks_are_numbered_when_there_are_several(self) -> None:
        _, _, requests = send(bytes(2 * CHUNK_SIZE + 1))

        assert [(request.chunks, request.chunk) for request in requests] == [("3", "0"), ("3", "1"), ("3", "2")]

    def test_e1_a_single_chunk_has_no_number(self) -> None:
        _, _, [request] = send(PNG)

        assert (request.chunks, request.chunk) == ("", "")

    def test_e1_every_chunk_carries_the_same_ticket_of_the_whole_file(self) -> None:
        content = bytes(CHUNK_SIZE + 1)
        _, _, requests = send(content)
        [ticket] = {request.uploadmediarequest for request in requests}
        fields = msgspec.json.decode(ticket)
        del fields["BaseRequest"]

        assert fields == {
            "UploadType": 2, "ClientMediaId": 1560000000123, "TotalLen": CHUNK_SIZE + 1, "StartPos": 0,
            "DataLen": CHUNK_SIZE + 1, "MediaType": 4, "FromUserName": ME, "ToUserName": "filehelper",
            "FileMd5": hashlib.md5(content).hexdigest(),
        }  # fmt: skip

    def test_the_form_carries_the_name_the_cookies_ticket_and_the_pass_ticket_decoded_once(self) -> None:
        _, _, [request] = send(PNG)

        assert ("我的 a+b.png", "pic", len(PNG), "image/png") == (
            request.name, request.mediatype, request.size, request.type,
        )  # fmt: skip
        assert (request.webwx_data_ticket, request.pass_ticket) == ("gStick+et", "k3Yq+Z0example=")

    def test_goes_to_the_file_host(self) -> None:
        flow = upload(LOGIN, file_of(PNG), "filehelper", 1, "")
        next(flow)

        assert flow.send(PNG).url.startswith("https://file.wx2.qq.com/")

    def test_e2_no_media_id_at_the_end_is_an_error(self) -> None:
        with pytest.raises(ApiError, match="named no media"):
            drive(upload(LOGIN, file_of(PNG), "filehelper", 1, ""), PNG, reply(UPLOAD))

    def test_b22_the_media_id_of_a_refusal_is_not_used(self) -> None:
        answer = Response(body=b'{"BaseResponse":{"Ret":1205},"MediaId":"@somebody_elses"}')

        with pytest.raises(RateLimited):
            drive(upload(LOGIN, file_of(PNG), "filehelper", 1, ""), PNG, answer)

    def test_a_refused_chunk_ends_it(self) -> None:
        content = bytes(CHUNK_SIZE + 1)

        with pytest.raises(ApiError):
            drive(upload(LOGIN, file_of(content), "filehelper", 1, ""), content[:CHUNK_SIZE], refusal(1))

    def test_an_upload_shows_its_size_only(self) -> None:
        assert f"Upload({len(PNG)} bytes)" == repr(file_of(PNG))


class TestDownload:
    @pytest.mark.parametrize("start", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"])
    def test_gives_a_picture_as_it_came(self, start: bytes) -> None:
        content = start + bytes(50)
        given, [request] = drive(download_image(LOGIN, "9007199254740993"), reply(GETMSGIMG, content=content))

        assert content == given
        assert "MsgID=9007199254740993&skey=%40crypt_" in request.url

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>404</html>", b"{", b'{"BaseResponse":{"Ret":0}}', b'{"BaseResponse":{"Ret":-1}}', b"{}", b"[]",
         b"\x00\x00\x00\x18ftypmp42"],
    )  # fmt: skip
    def test_e8_anything_else_is_no_picture(self, body: bytes) -> None:
        with pytest.raises(MediaUnavailable):
            drive(download_image(LOGIN, "1"), Response(headers=(("Content-Type", "image/jpeg"),), body=body))

    def test_e8_a_log_out_in_place_of_the_picture_is_one(self) -> None:
        with pytest.raises(LoggedOut):
            drive(download_image(LOGIN, "1"), refusal(1102))
