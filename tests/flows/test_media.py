"""Uploads by chunks, and checks of downloads."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.flows.drive import drive, refusal, reply
from tests.saved import LOGIN, ME

from webwx.errors import ApiError, InvalidLogin, LocalStateError, LoggedOut, MediaUnavailable, RateLimited
from webwx.flows import media as flows
from webwx.flows.media import Upload, UploadState
from webwx.model.contacts import ContactId
from webwx.model.messages import FileMessage, ImageMessage, LocationMessage, StickerMessage, VideoMessage, VoiceMessage
from webwx.protocol.codes import CHECK_ABOVE, CHUNK_SIZE
from webwx.protocol.hosts import FILEHELPER
from webwx.protocol.http import Read, Request, Response
from webwx.protocol.media import CHECKUPLOAD, PARALLELUPLOAD, UPLOAD, UploadRequest
from webwx.transport.download_sink import DownloadSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.message_fields import MessageFields

    from webwx.flows.call import Flow


PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
MP4 = b"\0\0\0\x18ftypmp42" + bytes(100)
STATE = UploadState(to="filehelper", client_media_id=1560000000123, data_ticket="gStick+et", boundary="X")
HELPER = msgspec.structs.replace(LOGIN, profile_name=FILEHELPER.name)


def file_of(content: bytes) -> Upload:
    """A picture as a file to upload."""
    return Upload(
        source=content, name="我的 a+b.png", size=len(content), md5=hashlib.md5(content).hexdigest(),
        content_type="image/png", kind="pic", modified="Sat Jun 08 2019",
    )  # fmt: skip


def upload(
    content: bytes, chunk: int = 0, state: UploadState = STATE, **answer: str
) -> tuple[UploadState, UploadRequest]:
    """Upload one chunk, and return the request and the fields that the server decoded."""
    file = file_of(content)
    answers = content[chunk * CHUNK_SIZE : (chunk + 1) * CHUNK_SIZE], reply(UPLOAD, **answer)
    after, [read, request] = drive(flows.upload_chunk(LOGIN, file, state, chunk), *answers)
    assert read == Read(source=content, start=chunk * CHUNK_SIZE, size=CHUNK_SIZE)
    return after, UPLOAD.decode_request(request)


class TestUpload:
    @pytest.mark.parametrize(
        ("size", "chunks"),
        [(1, 1), (CHUNK_SIZE - 1, 1), (CHUNK_SIZE, 1), (CHUNK_SIZE + 1, 2), (2 * CHUNK_SIZE, 2), (CHECK_ABOVE + 1, 51)],
    )
    def test_a_file_is_uploaded_in_chunks_of_512_kib(self, size: int, chunks: int) -> None:
        assert file_of(bytes(size)).chunks == chunks

    @pytest.mark.parametrize(("size", "must"), [(CHECK_ABOVE, False), (CHECK_ABOVE + 1, True)])
    def test_only_a_large_file_is_announced(self, size: int, must: bool) -> None:
        assert file_of(bytes(size)).must_be_announced is must

    def test_chunks_are_numbered_when_there_are_several(self) -> None:
        content = bytes(2 * CHUNK_SIZE + 1)
        requests = [upload(content, chunk)[1] for chunk in range(3)]

        assert [(request.chunks, request.chunk) for request in requests] == [("3", "0"), ("3", "1"), ("3", "2")]
        assert [len(request.filename.content) for request in requests] == [CHUNK_SIZE, CHUNK_SIZE, 1]

    def test_a_single_chunk_has_no_number(self) -> None:
        _, request = upload(PNG)

        assert (request.chunks, request.chunk) == ("", "")

    def test_every_chunk_has_the_same_ticket_of_the_complete_file(self) -> None:
        content = bytes(CHUNK_SIZE + 1)
        [ticket] = {upload(content, chunk)[1].uploadmediarequest for chunk in range(2)}
        fields = msgspec.json.decode(ticket)
        assert fields.pop("BaseRequest") == msgspec.to_builtins(LOGIN.credentials)

        assert fields == {
            "UploadType": 2, "ClientMediaId": 1560000000123, "TotalLen": CHUNK_SIZE + 1, "StartPos": 0,
            "DataLen": CHUNK_SIZE + 1, "MediaType": 4, "FromUserName": ME, "ToUserName": "filehelper",
            "FileMd5": hashlib.md5(content).hexdigest(),
        }  # fmt: skip

    def test_an_announced_file_has_its_keys(self) -> None:
        _, request = upload(PNG, state=msgspec.structs.replace(STATE, aes_key="key", signature="signed"))
        fields = msgspec.json.decode(request.uploadmediarequest)

        assert (fields["AESKey"], fields["Signature"]) == ("key", "signed")

    def test_the_form_has_the_name_the_cookies_ticket_and_the_pass_ticket_decoded_once(self) -> None:
        _, request = upload(PNG)

        assert ("我的 a+b.png", "pic", len(PNG), "image/png") == (
            request.name, request.mediatype, request.size, request.type,
        )  # fmt: skip
        assert (request.webwx_data_ticket, request.pass_ticket) == ("gStick+et", "k3Yq+Z0example=")
        assert (request.filename.name, request.filename.content_type) == ("我的 a+b.png", "image/png")

    def test_goes_to_the_file_host(self) -> None:
        flow = flows.upload_chunk(LOGIN, file_of(PNG), STATE, 0)
        next(flow)
        request = flow.send(PNG)

        assert isinstance(request, Request)
        assert request.url.startswith("https://file.wx2.qq.com/")

    def test_the_answer_to_the_last_chunk_completes_it(self) -> None:
        content = bytes(CHUNK_SIZE + 1)

        assert upload(content, 0)[0] == STATE
        assert upload(content, 1, media_id="@crypt_m")[0] == msgspec.structs.replace(STATE, media_id="@crypt_m")

    @pytest.mark.parametrize(
        "begin",
        [
            lambda bare: flows.announce_upload(LOGIN, file_of(PNG), bare),
            lambda bare: flows.upload_chunk(LOGIN, file_of(PNG), bare, 0),
            lambda bare: flows.upload_parallel_chunk(HELPER, file_of(PNG), bare, 0),
        ],
        ids=["announced", "a chunk", "a parallel chunk"],
    )
    def test_without_the_file_hosts_cookie_nothing_is_sent(
        self, begin: Callable[[UploadState], Flow[UploadState]]
    ) -> None:
        with pytest.raises(InvalidLogin, match=r"no cookie webwx_data_ticket .* log in again\.$"):
            next(begin(msgspec.structs.replace(STATE, data_ticket="")))

    def test_the_media_id_of_a_refusal_is_not_used(self) -> None:
        answer = Response(body=b'{"BaseResponse":{"Ret":1205},"MediaId":"@somebody_elses"}')

        with pytest.raises(RateLimited):
            drive(flows.upload_chunk(LOGIN, file_of(PNG), STATE, 0), PNG, answer)

    def test_the_error_names_the_number_of_a_refused_chunk(self) -> None:
        with pytest.raises(ApiError) as caught:
            drive(flows.upload_chunk(LOGIN, file_of(PNG), STATE, 0), PNG, refusal(-1))
        assert (caught.value.ret, caught.value.endpoint) == (-1, "webwxuploadmedia")

    def test_only_file_transfer_helper_sends_no_number_of_the_file(self) -> None:
        requests = [
            drive(flows.upload_chunk(login, file_of(PNG), STATE, 0), PNG, reply(UPLOAD))[1][1]
            for login in (LOGIN, HELPER)
        ]
        assert [b"WU_FILE_0" in request.content for request in requests] == [True, False]

    def test_a_file_that_became_shorter_is_not_uploaded(self) -> None:
        with pytest.raises(LocalStateError, match="was changed"):
            drive(flows.upload_chunk(LOGIN, file_of(PNG), STATE, 0), PNG[:-1])

    def test_the_repr_of_an_upload_shows_its_size_only(self) -> None:
        assert f"Upload({len(PNG)} bytes)" == repr(file_of(PNG))


class TestAnnounced:
    def test_an_announced_upload_has_the_files_fields_and_returns_its_keys(self) -> None:
        answer = reply(CHECKUPLOAD, aes_key="key", signature="signed")
        state, [request] = drive(flows.announce_upload(LOGIN, file_of(PNG), STATE), answer)
        body = msgspec.json.decode(request.content)
        assert body.pop("BaseRequest") == msgspec.to_builtins(LOGIN.credentials)

        assert state == msgspec.structs.replace(STATE, aes_key="key", signature="signed")
        assert body == {
            "FromUserName": ME, "ToUserName": "filehelper", "FileName": "我的 a+b.png", "FileSize": len(PNG),
            "FileMd5": hashlib.md5(PNG).hexdigest(), "FileType": 7,
        }  # fmt: skip

    def test_a_file_that_the_server_has_is_complete_at_once(self) -> None:
        answer = reply(CHECKUPLOAD, media_id="@crypt_known", signature="signed")
        state, _ = drive(flows.announce_upload(LOGIN, file_of(PNG), STATE), answer)

        assert (state.media_id, state.signature) == ("@crypt_known", "signed")

    def test_the_first_parallel_chunk_gets_an_upload_id_for_the_others(self) -> None:
        content = bytes(CHUNK_SIZE + 1)
        begun = msgspec.structs.replace(STATE, aes_key="key", signature="signed", random="ab12")
        after, tickets = begun, []
        for chunk, answer in enumerate(({"upload_id": "@u"}, {"upload_id": "@u", "media_id": "@crypt_m"})):
            piece = content[chunk * CHUNK_SIZE : (chunk + 1) * CHUNK_SIZE]
            flow = flows.upload_parallel_chunk(HELPER, file_of(content), after, chunk)
            after, [_, request] = drive(flow, piece, reply(PARALLELUPLOAD, **answer))
            decoded = PARALLELUPLOAD.decode_request(request)
            tickets.append(msgspec.json.decode(decoded.ticket))
            assert (decoded.random, decoded.filename.name, decoded.filename.content) == ("ab12", "blob", piece)
            assert (decoded.webwx_data_ticket, decoded.pass_ticket) == ("gStick+et", "k3Yq+Z0example=")
        for ticket in tickets:
            assert ticket.pop("BaseRequest") == msgspec.to_builtins(HELPER.credentials)
        common = {
            "Signature": "signed", "AESKey": "key", "FileMD5": hashlib.md5(content).hexdigest(),
            "TotalLen": len(content), "Chunks": 2, "Name": "我的 a+b.png",
        }  # fmt: skip

        assert tickets == [common | {"Chunk": 0}, common | {"Chunk": 1, "UploadID": "@u"}]
        assert after == msgspec.structs.replace(begun, upload_id="@u", media_id="@crypt_m")


@pytest.mark.parametrize(
    ("name", "travels"),
    [
        ("report.pdf", "report.pdf"),
        ('a"b\r\nX: y.txt', "abX: y.txt"),
        ("a/b\\c.txt", "abc.txt"),
        (200 * "汉" + ".txt", 12 * "汉" + ".txt"),
        (200 * "汉", 13 * "汉"),
        ("x." + 100 * "y", "x." + 100 * "y"),
        ("", ""),
    ],
)
def test_a_name_is_cleaned_for_a_header(name: str, travels: str) -> None:
    assert flows.transport_name(name) == travels


FIELDS: MessageFields = {
    "message_id": "9007199254740993", "chat": ContactId("@friend"), "sender": ContactId("@friend"), "is_self": False,
    "time": 0, "content": "",
}  # fmt: skip
FILE = FileMessage(name="a b.txt", size=5, media_id="@crypt_f", encrypted_name="a%20b%2Etxt", **FIELDS)

PLACE = LocationMessage(latitude=1, longitude=2, label="", **FIELDS)


def sink() -> DownloadSink:
    return DownloadSink(io.BytesIO(), 10_000)


def fetch(flow_of: Callable[[DownloadSink], Flow[object]], body: bytes) -> str:
    """Download something with this body, and return the requested address."""
    into = sink()
    flow = flow_of(into)
    request = next(flow)
    assert isinstance(request, Request)
    into.write(body)
    with pytest.raises(StopIteration):
        flow.send(Response())
    assert request.sink is into
    return request.url + "".join(f" {name}: {value}" for name, value in request.headers)


class TestDownload:
    @pytest.mark.parametrize("start", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"])
    def test_a_picture_is_requested_by_its_message(self, start: bytes) -> None:
        url = fetch(lambda into: flows.download(LOGIN, "9007199254740993", into), start + bytes(50))

        assert "webwxgetmsgimg?MsgID=9007199254740993&skey=%40crypt_" in url
        assert "type=" not in url

    @pytest.mark.parametrize(
        ("message", "body", "asked"),
        [
            (ImageMessage(**FIELDS), PNG, "webwxgetmsgimg?MsgID=9007199254740993&skey="),
            (StickerMessage(is_available=True, **FIELDS), PNG, "&type=big"),
            (VoiceMessage(duration=1, **FIELDS), b"ID3", "webwxgetvoice?msgid=9007199254740993&skey="),
            (VoiceMessage(duration=1, **FIELDS), b"\xff\xf3\x18", " Range: bytes=0-"),
            (VideoMessage(duration=1, **FIELDS), MP4, "webwxgetvideo?msgid=9007199254740993&skey="),
            (VideoMessage(duration=1, **FIELDS), MP4, " Range: bytes=0-"),
            (PLACE, PNG, "url=xxx&msgid=9007199254740993&pictype=location"),
            (FILE, b"hello", "https://file.wx2.qq.com/cgi-bin/"),
            (FILE, b"hello", "/webwxgetmedia?sender=%40friend&mediaid=%40crypt_f"),
            (FILE, b"hello", "&encryfilename=a%2520b%252Etxt&fromuser=1234567890&pass_ticket="),
            (FILE, b"hello", "&webwx_data_ticket=gS%2Bt"),
            (msgspec.structs.replace(FILE, encrypted_name=""), b"hello", "&filename=a%20b.txt&"),
            (msgspec.structs.replace(FILE, is_self=True), b"hello", f"?sender=%40{ME[1:]}&"),
        ],
    )  # fmt: skip
    def test_each_kind_has_its_own_request(self, message: ImageMessage, body: bytes, asked: str) -> None:
        assert asked in fetch(lambda into: flows.download(LOGIN, message, into, "gS+t"), body)

    def test_without_the_file_hosts_cookie_a_file_is_not_requested(self) -> None:
        with pytest.raises(InvalidLogin, match=r"no cookie webwx_data_ticket .* log in again\.$"):
            next(flows.download(LOGIN, FILE, sink()))

    @pytest.mark.parametrize(
        ("message", "body"),
        [
            (ImageMessage(**FIELDS), PNG),
            (StickerMessage(is_available=True, **FIELDS), PNG),
            (VoiceMessage(duration=1, **FIELDS), b"ID3"),
            (VideoMessage(duration=1, **FIELDS), MP4),
            (PLACE, PNG),
        ],
    )
    def test_without_the_file_hosts_cookie_other_kinds_are_requested(self, message: ImageMessage, body: bytes) -> None:
        assert fetch(lambda into: flows.download(LOGIN, message, into), body)

    def test_a_sticker_of_the_store_is_not_requested(self) -> None:
        with pytest.raises(MediaUnavailable, match="not available on the web"):
            drive(flows.download(LOGIN, StickerMessage(is_available=False, **FIELDS), sink()))

    def test_file_transfer_helper_sends_its_sid_and_app_as_well(self) -> None:
        url = fetch(lambda into: flows.download(HELPER, FILE, into, "gS"), b"hello")

        assert "&sid=" in url
        assert "&mmweb_appid=wx_webfilehelper" in url

    @pytest.mark.parametrize(
        ("message", "body"),
        [
            (ImageMessage(**FIELDS), PNG),
            (StickerMessage(is_available=True, **FIELDS), PNG),
            (VoiceMessage(duration=1, **FIELDS), b"ID3"),
            (VideoMessage(duration=1, **FIELDS), MP4),
        ],
    )
    def test_file_transfer_helper_names_its_app_in_every_download(self, message: ImageMessage, body: bytes) -> None:
        url = fetch(lambda into: flows.download(HELPER, message, into), body)
        assert "&mmweb_appid=wx_webfilehelper" in url
        assert "mmweb_appid" not in fetch(lambda into: flows.download(LOGIN, message, into), body)

    def test_a_thumbnail_is_requested_with_its_type(self) -> None:
        assert "&type=slave" in fetch(lambda into: flows.download_thumbnail(LOGIN, "1", into), PNG)

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"", flows.NotThereYet), (b"<html>404</html>", MediaUnavailable), (b"{", MediaUnavailable),
            (b'{"BaseResponse":{"Ret":0}}', MediaUnavailable), (b'{"BaseResponse":{"Ret":-1}}', MediaUnavailable),
            (b"{}", MediaUnavailable), (b"[]", MediaUnavailable), (MP4, MediaUnavailable),
            (b'{\n"BaseResponse": {\n"Ret": 1102,\n', LoggedOut), (b'{"BaseResponse":{"Ret":1205', RateLimited),
        ],
    )  # fmt: skip
    def test_other_bytes_are_not_a_picture(self, body: bytes, kind: type[Exception]) -> None:
        into = sink()
        flow = flows.download(LOGIN, "1", into)
        next(flow)
        into.write(body)

        with pytest.raises(kind) as caught:
            flow.send(Response(headers=(("Content-Type", "image/jpeg"),)))
        assert type(caught.value) is kind

    @pytest.mark.parametrize(
        ("headers", "is_whole"),
        [
            ((("Content-Length", str(len(PNG))),), True),
            ((("Content-Length", str(len(PNG) + 1)),), False),
            ((("Content-Length", "7"), ("Content-Encoding", "gzip")), True),
            ((("Content-Range", f"bytes 0-{len(PNG) - 1}/{len(PNG)}"),), True),
            ((("Content-Range", "bytes 0-9/999"),), False),
            ((("Content-Range", "bytes 0-9/*"),), True),
        ],
    )
    def test_the_length_must_equal_the_announced_one(
        self, headers: tuple[tuple[str, str], ...], is_whole: bool
    ) -> None:
        into = sink()
        flow = flows.download(LOGIN, "1", into)
        next(flow)
        into.write(PNG)

        with pytest.raises(StopIteration if is_whole else flows.NotThereYet):
            flow.send(Response(headers=headers))

    @pytest.mark.parametrize(
        ("message", "body", "is_it"),
        [
            (FILE, b"hello", True), (FILE, b"hell", False), (FILE, b'{"BaseResponse":', False),
            (msgspec.structs.replace(FILE, md5="5D41402ABC4B2A76B9719D911017C592"), b"hello", True),
            (msgspec.structs.replace(FILE, md5="00"), b"hello", False),
            (msgspec.structs.replace(FILE, size=0), b"any size", True),
            (msgspec.structs.replace(FILE, size=0), b"", False),
            (msgspec.structs.replace(FILE, size=0), b'{"BaseResponse": {"Ret": -1}}', False),
        ],
    )  # fmt: skip
    def test_a_file_must_be_the_one_that_was_sent(self, message: FileMessage, body: bytes, is_it: bool) -> None:
        into = sink()
        flow = flows.download(LOGIN, message, into, "gS")
        next(flow)
        into.write(body)

        with pytest.raises(StopIteration if is_it else MediaUnavailable):
            flow.send(Response())

    def test_an_error_status_is_an_error(self) -> None:
        with pytest.raises(MediaUnavailable):
            drive(flows.download(LOGIN, "1", sink()), Response(status=404))
