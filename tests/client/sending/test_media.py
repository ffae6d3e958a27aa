"""Media in both directions: every kind arrives byte for byte, or there is a typed error and no file."""

from __future__ import annotations

import asyncio
import io
import json
import math
import os
import random
import re
import tempfile
import threading
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

import msgspec
import pytest
from tests.carriers import Counted
from tests.client.conftest import GIF, JPEG, MP3, MP4, PNG, SERVER, last, last_file, md5_of, take_messages
from tests.client.virtual_loop import run_with_virtual_clock
from tests.digests import md5

from webwx.client.client import AsyncClient
from webwx.client.sending.media import MAX_IN_MEMORY
from webwx.errors import (
    ApiError,
    ConnectFailed,
    EmptyFile,
    InvalidLogin,
    InvalidRequest,
    LocalStateError,
    LoggedOut,
    MediaUnavailable,
    NoSuchFile,
    NotAPicture,
    ProtocolError,
    RateLimited,
    SendOutcomeUnknown,
    TooLarge,
    UnknownContact,
    WxError,
)
from webwx.protocol.appmsg import read_app
from webwx.protocol.codes import CHECK_ABOVE, CHUNK_SIZE, MAX_FILE, MAX_IMAGE, MAX_VIDEO
from webwx.protocol.cookies import Jar
from webwx.protocol.http import Response
from webwx.protocol.media import GETMEDIA, PARALLELUPLOAD, UPLOAD
from webwx.sandbox import contents
from webwx.sandbox.options import Options
from webwx.storage.login import LoginMemory
from webwx.storage.saved_login import SavedLogin
from webwx.transport import file_chunks
from webwx.transport.loopback import Loopback
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.model.login import QrCode
    from webwx.protocol.http import Request
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.people import WorldMessage
    from webwx.sandbox.world import World
    from webwx.transport.runner import Transport

LARGE = 26 * 1024 * 1024


class RecordingTransport(Counted):
    """Records the requests, and answers some calls itself; an error is raised before the request is sent."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.requests: list[Request] = []
        self.answers: dict[str, list[Response | Exception]] = {}
        self.meddlers: dict[str, Callable[[], object]] = {}
        """Action on this machine just before a call is answered for the first time."""

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        if request.endpoint in self.meddlers:
            self.meddlers.pop(request.endpoint)()
        if self.answers.get(request.endpoint):
            self.calls.append(request.endpoint)
            answer = self.answers[request.endpoint].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return await super().send(request)


@pytest.fixture
def counted(sandbox: SandboxCore) -> RecordingTransport:
    return RecordingTransport(Loopback(sandbox))


class FourAtOnce(RecordingTransport):
    """Holds the second chunk of each upload until four uploads have begun."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self._begun = asyncio.Barrier(4)

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if request.endpoint == UPLOAD.name and UPLOAD.decode_request(request).chunk == "0":
            await self._begun.wait()
        return response


class Endless(Counted):
    """Serves files that never end."""

    async def send(self, request: Request) -> Response:
        while request.endpoint == GETMEDIA.name:
            assert request.sink is not None
            request.sink.write(bytes(MAX_IN_MEMORY))
        return await super().send(request)


class Timed(RecordingTransport):
    """Records the time of each call by the loop's clock."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.when: list[tuple[str, float]] = []

    async def send(self, request: Request) -> Response:
        self.when.append((request.endpoint, asyncio.get_running_loop().time()))
        return await super().send(request)


def inside(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def sizes_of(folder: Path) -> list[int]:
    return [each.stat().st_size for each in folder.iterdir()]


class TestSending:
    @pytest.mark.parametrize("content", [PNG, JPEG])
    async def test_a_picture_from_a_path_from_bytes_and_from_a_stream_arrives_completely(
        self, log_in: LogIn, world: World, tmp_path: Path, content: bytes
    ) -> None:
        client = await log_in()
        path = tmp_path / "图 片.bin"
        path.write_bytes(content)
        for image in (content, path, str(path), io.BytesIO(content)):
            receipt = await client.send_image("阿华", image)

            assert last_file(world, "ahua", "xiaoming").md5 == md5(content)
            assert await client.download(receipt.message_id) == content

    @pytest.mark.parametrize(
        ("send", "kind", "content", "calls"),
        [
            (AsyncClient.send_image, "image", PNG, ["webwxuploadmedia", "webwxsendmsgimg"]),
            (AsyncClient.send_image, "sticker", GIF, ["webwxuploadmedia", "webwxsendemoticon"]),
            (AsyncClient.send_video, "video", MP4, ["webwxuploadmedia", "webwxsendvideomsg"]),
            (AsyncClient.send_sticker, "sticker", GIF, ["webwxuploadmedia", "webwxsendemoticon"]),
            (AsyncClient.send_file, "file", b"anything", ["webwxuploadmedia", "webwxsendappmsg"]),
        ],
    )
    async def test_each_kind_has_its_own_call(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path,
        send: Callable[..., Awaitable[object]],
        kind: str, content: bytes, calls: list[str],
    ) -> None:  # fmt: skip
        client = await log_in()
        path = tmp_path / "x.bin"
        path.write_bytes(content)
        for source in (path, content, io.BytesIO(content)):
            counted.calls.clear()
            await send(client, "Boss", source)
            arrived = last(world, "lilei", "xiaoming")

            assert counted.calls == calls
            assert (arrived.kind, md5_of(arrived)) == (kind, md5(content))

    async def test_a_known_sticker_needs_no_upload(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        world.sticker("ahua", "zhangsan", GIF)
        await client.send_sticker("filehelper", md5(GIF).upper())

        assert counted.calls == ["webwxsendemoticon"]
        assert last_file(world, "me", "filehelper").md5 == md5(GIF)

    @pytest.mark.parametrize(
        "size",
        [
            1,
            CHUNK_SIZE - 1,
            CHUNK_SIZE,
            CHUNK_SIZE + 1,
            2 * CHUNK_SIZE,
            CHECK_ABOVE - 1,
            CHECK_ABOVE,
            CHECK_ABOVE + 1,
            LARGE,
        ],
    )
    async def test_a_file_of_any_size_arrives_completely(
        self, log_in: LogIn, world: World, tmp_path: Path, size: int
    ) -> None:
        client = await log_in()
        path = tmp_path / "x.bin"
        path.write_bytes(random.Random(1).randbytes(size))  # All chunks differ.
        await client.send_file("filehelper", path)

        assert last_file(world, "me", "filehelper").md5 == md5(path.read_bytes())

    async def test_an_empty_file_is_refused(self, log_in: LogIn, counted: RecordingTransport, tmp_path: Path) -> None:
        client = await log_in()
        path = tmp_path / "x.bin"
        path.touch()
        for source in (path, str(path), b"", io.BytesIO()):
            with pytest.raises(EmptyFile):
                await client.send_file("filehelper", source)
        assert counted.calls == []

    async def test_concurrent_files_do_not_mix(self, log_in: LogIn, sandbox: SandboxCore) -> None:
        carrier = FourAtOnce(Loopback(sandbox))
        client = await log_in(transport=carrier)
        contents = [PNG + bytes([number]) * 600_000 for number in range(4)]
        receipts = await asyncio.gather(*(client.send_image("filehelper", content) for content in contents))

        uploads = [UPLOAD.decode_request(each) for each in carrier.requests if each.endpoint == UPLOAD.name]
        ids = [json.loads(each.uploadmediarequest)["ClientMediaId"] for each in uploads]
        assert len(set(ids[:4])) == len(set(ids[4:])) == 4
        assert [await client.download(receipt) for receipt in receipts] == contents

    async def test_each_upload_has_its_own_id_for_all_its_chunks(
        self, log_in: LogIn, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        for _ in range(2):
            await client.send_file("filehelper", bytes(2 * CHUNK_SIZE))
        uploads = [UPLOAD.decode_request(each) for each in counted.requests if each.endpoint == UPLOAD.name]
        ids = [json.loads(each.uploadmediarequest)["ClientMediaId"] for each in uploads]

        assert ids[0] == ids[1] != ids[2] == ids[3]

    async def test_each_upload_has_a_random_boundary(self, log_in: LogIn, counted: RecordingTransport) -> None:
        client = await log_in()
        for _ in range(2):
            await client.send_file("filehelper", b"anything")
        first, second = [
            UPLOAD.decode_request(each).filename.boundary for each in counted.requests if each.endpoint == UPLOAD.name
        ]

        assert first != second
        assert all(re.fullmatch(r"-+\w+Boundary[0-9a-f]{32}", each) for each in (first, second))  # 128 random bits.

    async def test_progress_is_reported_after_each_chunk(self, log_in: LogIn) -> None:
        progress: list[tuple[int, int]] = []
        size = 2 * CHUNK_SIZE + 1
        await (await log_in()).send_file("filehelper", bytes(size), progress=lambda *now: progress.append(now))

        assert progress == [(CHUNK_SIZE, size), (2 * CHUNK_SIZE, size), (size, size)]


class TestFileNames:
    NAMES = (
        "我的文档.txt", "Мой.txt", "내 문서.txt", 200 * "汉", f"{200 * '汉'}.txt", 'a"b\r\nX: y.txt', "😀🎉.png",
        "a&b <1> ]]>.txt", "</title><url>http://evil</url>.txt",
        "no extension", ".hidden", f"x.{300 * 'y'}", "tab\there\x0b.txt", "%41.txt",
    )  # fmt: skip

    @pytest.mark.parametrize("name", NAMES)
    async def test_are_decoded_unchanged_by_a_strict_parser(
        self, log_in: LogIn, world: World, counted: RecordingTransport, name: str
    ) -> None:
        client = await log_in()
        await client.send_file("filehelper", b"content", name=name)
        upload = next(each for each in counted.requests if each.endpoint == UPLOAD.name)
        head = f"Content-Type: {upload.header('Content-Type')}\r\n\r\n".encode()
        parts = list(BytesParser(policy=HTTP).parsebytes(head + upload.content).iter_parts())
        named = {part.get_param("name", header="content-disposition"): part for part in parts}
        file = named["filename"]

        assert [part.get_filename() is not None for part in parts] == [False] * (len(parts) - 1) + [True]
        assert b"filename*=" not in upload.content
        shown_name = file.get_filename()
        assert shown_name is not None
        assert len(shown_name) <= 120
        assert file.get_payload(decode=True) == b"content"
        assert UPLOAD.decode_request(upload).name == name
        assert not set('"\r\n') & set(unquote(shown_name))

        shown = read_app(last(world, "me", "filehelper").content.wire.content)
        assert shown is not None
        assert shown.title == "".join(sign for sign in name if sign not in "\x0b").replace("\r\n", "\n").strip()
        assert shown.url == ""


class TestLargeFiles:
    @pytest.mark.parametrize(("host", "call"), [(None, "webwxuploadmedia"), ("filehelper", "webwxuploadmediaparallel")])
    async def test_are_announced_first_and_have_the_signature(
        self, log_in: LogIn, world: World, counted: RecordingTransport, host: str | None, call: str
    ) -> None:
        world.options = Options(large_files="strict")
        client = await log_in(host=host)
        content = bytes(LARGE)
        await client.send_file("filehelper", content)

        assert counted.calls == ["webwxcheckupload", *[call] * (LARGE // CHUNK_SIZE), "webwxsendappmsg"]
        assert last_file(world, "me", "filehelper").md5 == md5(content)

    async def test_that_the_server_has_already_are_not_uploaded(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        content = bytes(LARGE)
        world.file("ahua", "zhangsan", content, "theirs.bin")
        progress: list[tuple[int, int]] = []
        await client.send_file("filehelper", content, name="mine.bin", progress=lambda *now: progress.append(now))

        assert counted.calls == ["webwxcheckupload", "webwxsendappmsg"]
        assert last(world, "me", "filehelper").text == "mine.bin"
        assert progress == [(LARGE, LARGE)]

    async def test_a_refused_announcement_is_an_error(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxcheckupload", -1)

        with pytest.raises(ApiError):
            await client.send_file("filehelper", bytes(LARGE))
        assert counted.calls == ["webwxcheckupload"]

    async def test_the_first_parallel_chunk_names_the_upload_for_the_others(
        self, log_in: LogIn, counted: RecordingTransport
    ) -> None:
        client = await log_in(host="filehelper")
        await client.send_file("filehelper", bytes(LARGE))
        first, second, *_ = [
            PARALLELUPLOAD.decode_request(each).ticket
            for each in counted.requests
            if each.endpoint == PARALLELUPLOAD.name
        ]

        assert "UploadID" not in first
        assert '"UploadID":"@crypt_' in second


class TestAFailedChunk:
    async def test_is_repeated_without_the_rest_of_the_file(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        content = random.Random(1).randbytes(4 * CHUNK_SIZE)
        counted.answers["webwxuploadmedia"] = [ConnectFailed("no"), ConnectFailed("no")]
        world.refuse_next("webwxuploadmedia", -1, times=3)
        await client.send_file("filehelper", content)

        assert counted.calls == ["webwxuploadmedia"] * (5 + 4) + ["webwxsendappmsg"]
        assert last_file(world, "me", "filehelper").md5 == md5(content)

    async def test_in_the_middle_is_repeated_without_the_earlier_ones(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        content = random.Random(1).randbytes(4 * CHUNK_SIZE)

        def fail_after_two(done: int, whole: int) -> None:
            if done == 2 * CHUNK_SIZE:
                world.refuse_next("webwxuploadmedia", -1, times=2)

        await client.send_file("filehelper", content, progress=fail_after_two)
        chunks = [UPLOAD.decode_request(each).chunk for each in counted.requests if each.endpoint == UPLOAD.name]

        assert chunks == ["0", "1", "2", "2", "2", "3"]
        assert last_file(world, "me", "filehelper").md5 == md5(content)

    async def test_ends_the_upload_after_five_repetitions(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxuploadmedia", -1, times=99)

        with pytest.raises(ApiError):
            await client.send_file("filehelper", PNG)
        assert counted.calls == ["webwxuploadmedia"] * 6

    async def test_may_be_complete_unless_it_was_the_last(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        counted.lose_answers("webwxuploadmedia")
        await client.send_file("filehelper", bytes(2 * CHUNK_SIZE))
        assert last_file(world, "me", "filehelper").md5 == md5(bytes(2 * CHUNK_SIZE))

        counted.calls.clear()
        counted.lose_answers("webwxuploadmedia")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_file("filehelper", b"one chunk")
        assert counted.calls == ["webwxuploadmedia"]

    def test_is_not_repeated_at_full_speed(
        self, world: World, counted: RecordingTransport, phone_of: Callable[[str], Callable[[QrCode], object]]
    ) -> None:
        async def work() -> None:
            client = AsyncClient(server=SERVER, transport=counted, timeouts=Timeouts(retry=3600), clock=world.clock.now)
            await client.login(show_qr=phone_of("me"))
            counted.calls.clear()
            world.refuse_next("webwxuploadmedia", -1)

            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    await client.send_image("filehelper", PNG)

        run_with_virtual_clock(work)
        assert counted.calls == ["webwxuploadmedia"]

    @pytest.mark.parametrize(("ret", "kind"), [(1205, RateLimited), (1, ApiError), (1101, LoggedOut)])
    async def test_with_another_return_code_is_not_repeated(
        self, log_in: LogIn, world: World, counted: RecordingTransport, ret: int, kind: type[WxError]
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxuploadmedia", ret)

        with pytest.raises(kind):
            await client.send_file("filehelper", PNG)
        assert counted.calls == ["webwxuploadmedia"]

    async def test_the_media_id_of_a_refusal_is_not_used(self, log_in: LogIn, counted: RecordingTransport) -> None:
        client = await log_in()
        stolen = b'{"BaseResponse":{"Ret":1205,"ErrMsg":""},"MediaId":"@crypt_somebody_elses"}'
        counted.answers["webwxuploadmedia"] = [Response(body=stolen)]

        with pytest.raises(RateLimited):
            await client.send_image("filehelper", PNG)
        assert counted.calls == ["webwxuploadmedia"]

    async def test_without_a_media_id_at_the_end_nothing_is_sent(
        self, log_in: LogIn, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        counted.answers["webwxuploadmedia"] = [Response(body=b'{"BaseResponse":{"Ret":0,"ErrMsg":""},"MediaId":""}')]

        with pytest.raises(ProtocolError, match="no media id"):
            await client.send_image("filehelper", PNG)
        assert counted.calls == ["webwxuploadmedia"]


class TestARefusedSend:
    async def test_of_an_expired_upload_is_uploaded_again(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxsendmsgimg", -1)
        await client.send_image("filehelper", PNG)

        assert counted.calls == ["webwxuploadmedia", "webwxsendmsgimg"] * 2
        assert len(world.inbox("me")["filehelper"].messages) == 1

    @pytest.mark.parametrize(("ret", "sends"), [(-1, 2), (1205, 1)])
    async def test_is_raised_after_the_second_upload(
        self, log_in: LogIn, world: World, counted: RecordingTransport, ret: int, sends: int
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxsendappmsg", ret, times=9)

        with pytest.raises(ApiError):
            await client.send_file("filehelper", PNG)
        assert counted.calls.count("webwxsendappmsg") == sends


class TestNothingIsSentFor:
    @pytest.mark.parametrize(
        ("attempt", "kind"),
        [
            (lambda client: client.send_image("unknown", PNG), UnknownContact),
            (lambda client: client.send_image("filehelper", b""), EmptyFile),
            (lambda client: client.send_image("filehelper", b"hello"), NotAPicture),
            (lambda client: client.send_image("filehelper", PNG[:8] + bytes(MAX_IMAGE)), TooLarge),
            (lambda client: client.send_sticker("filehelper", PNG), NotAPicture),
            (lambda client: client.send_sticker("filehelper", "no-such.gif"), NoSuchFile),
            (lambda client: client.send_video("filehelper", PNG), InvalidRequest),
            (lambda client: client.send_video("filehelper", MP4[:12] + bytes(MAX_VIDEO)), TooLarge),
            (lambda client: client.send_file("filehelper", b""), EmptyFile),
            (lambda client: client.send_file("unknown", b"x"), UnknownContact),
        ],
    )  # fmt: skip
    async def test_invalid_bytes_are_refused(
        self,
        log_in: LogIn,
        counted: RecordingTransport,
        attempt: Callable[[AsyncClient], Awaitable[object]],
        kind: type[WxError],
    ) -> None:
        client = await log_in()

        with pytest.raises(kind):
            await attempt(client)
        assert counted.calls == []

    @pytest.mark.parametrize(
        ("size", "kind"), [(None, NoSuchFile), (0, EmptyFile), (5, NotAPicture), (MAX_IMAGE + 1, TooLarge)]
    )
    async def test_an_invalid_path_is_refused(
        self, log_in: LogIn, counted: RecordingTransport, tmp_path: Path, size: int | None, kind: type[WxError]
    ) -> None:
        client = await log_in()
        path = tmp_path / "x.png"
        if size is not None:
            with path.open("wb") as file:
                file.truncate(size)

        for image in (path, str(path)):
            with pytest.raises(kind):
                await client.send_image("filehelper", image)
        assert counted.calls == []

    async def test_a_video_of_21_mib_is_refused(
        self, log_in: LogIn, counted: RecordingTransport, tmp_path: Path
    ) -> None:
        client = await log_in()
        path = tmp_path / "x.mp4"
        path.write_bytes(MP4 + bytes(21 * 1024 * 1024))

        with pytest.raises(TooLarge):
            await client.send_video("filehelper", path)
        assert counted.calls == []

    async def test_a_folder_is_refused(self, log_in: LogIn, counted: RecordingTransport, tmp_path: Path) -> None:
        client = await log_in()

        with pytest.raises(NoSuchFile, match="is not a file"):
            await client.send_image("filehelper", tmp_path)
        assert counted.calls == []


class EndlessStream:
    """A stream without an end, which counts the bytes that were read."""

    def __init__(self, start: bytes) -> None:
        self.given = 0
        self._start = start

    def read(self, size: int) -> bytes:
        piece = self._start[self.given : self.given + size].ljust(size, b"x")
        self.given += size
        return piece


class GatedStream:
    """A stream of three bytes that waits until a test releases it."""

    def __init__(self) -> None:
        self.reads = 0
        self.asked = threading.Event()
        self.may_give = threading.Event()

    def read(self, size: int) -> bytes:
        self.reads += 1
        self.asked.set()
        self.may_give.wait(60)
        return b"x" if self.reads <= 3 else b""


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[BinaryIO]:
    """The temporary files of streams."""
    made: list[BinaryIO] = []
    make = tempfile.TemporaryFile

    def temporary_file() -> BinaryIO:
        made.append(make())
        return made[-1]

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, "TemporaryFile", temporary_file)
    return made


class TestAStream:
    async def test_arrives_completely_from_its_present_position_and_leaves_no_file(
        self, log_in: LogIn, world: World, tmp_path: Path, kept: list[BinaryIO]
    ) -> None:
        client = await log_in()
        content = random.Random(2).randbytes(2 * CHUNK_SIZE + 1)
        stream = io.BytesIO(b"skipped" + content)
        stream.seek(7)

        def stamp(done: int, whole: int) -> None:
            assert inside(tmp_path) == []  # The file has no name.
            assert not kept[0].closed

        await client.send_file("filehelper", stream, name="备份.sql", progress=stamp)

        sent = last(world, "me", "filehelper")
        assert (md5_of(sent), sent.text) == (md5(content), "备份.sql")
        assert ([file.closed for file in kept], stream.closed) == ([True], False)

    async def test_of_a_pipe_arrives_completely(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        out, into = os.pipe()
        os.write(into, b"pg_dump")
        os.close(into)
        with os.fdopen(out, "rb") as stream:
            await client.send_file("filehelper", stream)

        assert last_file(world, "me", "filehelper").md5 == md5(b"pg_dump")

    async def test_of_an_expired_upload_is_uploaded_again(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxsendmsgimg", -1)
        await client.send_image("filehelper", io.BytesIO(PNG))

        assert counted.calls == ["webwxuploadmedia", "webwxsendmsgimg"] * 2
        assert last_file(world, "me", "filehelper").md5 == md5(PNG)

    @pytest.mark.parametrize(
        ("send", "start", "limit"),
        [
            (AsyncClient.send_image, PNG, MAX_IMAGE),
            (AsyncClient.send_sticker, GIF, MAX_IMAGE),
            (AsyncClient.send_video, MP4, MAX_VIDEO),
        ],
    )
    async def test_that_is_too_large_is_read_up_to_the_limit(
        self, log_in: LogIn, counted: RecordingTransport, kept: list[BinaryIO],
        send: Callable[..., Awaitable[object]], start: bytes,
        limit: int,
    ) -> None:  # fmt: skip
        client = await log_in()
        stream = EndlessStream(start)

        with pytest.raises(TooLarge, match=f"more than the {limit:,} bytes"):
            await send(client, "filehelper", stream)
        assert (limit + 1, []) == (stream.given, counted.calls)
        assert [file.closed for file in kept] == [True]

    async def test_of_the_maximum_size_is_sent(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        content = PNG[:64] + bytes(MAX_IMAGE - 64)
        await client.send_image("filehelper", io.BytesIO(content))

        assert last_file(world, "me", "filehelper").md5 == md5(content)

    @pytest.mark.parametrize(
        ("stream", "kind"),
        [(io.BytesIO(), EmptyFile), (io.BytesIO(b"hello"), NotAPicture), (io.StringIO("x"), InvalidRequest)],
    )
    async def test_that_cannot_be_sent_leaves_no_file(
        self, log_in: LogIn, counted: RecordingTransport, kept: list[BinaryIO], stream: io.BytesIO, kind: type[WxError]
    ) -> None:
        client = await log_in()

        with pytest.raises(kind):
            await client.send_image("filehelper", stream)
        assert counted.calls == []
        assert [file.closed for file in kept] == [True]

    async def test_of_a_cancelled_send_is_closed(
        self, log_in: LogIn, counted: RecordingTransport, kept: list[BinaryIO]
    ) -> None:
        client = await log_in()
        stream = GatedStream()
        task = asyncio.ensure_future(client.send_file("filehelper", stream))
        await asyncio.to_thread(stream.asked.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [file.closed for file in kept] == [True]

        stream.may_give.set()
        await asyncio.get_running_loop().shutdown_default_executor()
        assert (stream.reads, counted.calls) == (1, [])


class TestWithoutTheFileHostsCookie:
    """Every request that would need its ticket is refused, and no other request is."""

    @pytest.fixture
    def store(self) -> LoginMemory:
        return LoginMemory()

    @pytest.fixture
    async def client(
        self, log_in: LogIn, new_client: NewClient, store: LoginMemory, counted: RecordingTransport
    ) -> AsyncClient:
        await log_in(store=store)
        saved = await store.load()
        assert saved is not None
        rest = tuple(cookie for cookie in saved.login.jar.cookies if cookie.name != "webwx_data_ticket")
        await store.save(SavedLogin(login=msgspec.structs.replace(saved.login, jar=Jar(rest))))
        client = new_client(store=store)
        await client.resume()
        counted.calls.clear()
        return client

    @pytest.mark.parametrize(
        "send",
        [
            lambda client: client.send_image("filehelper", PNG),
            lambda client: client.send_file("filehelper", b"x"),
            lambda client: client.send_file("filehelper", bytes(LARGE)),
        ],
        ids=["picture", "file", "announced file"],
    )
    async def test_nothing_is_uploaded(
        self, client: AsyncClient, counted: RecordingTransport, send: Callable[[AsyncClient], Awaitable[object]]
    ) -> None:
        with pytest.raises(InvalidLogin, match="no cookie webwx_data_ticket"):
            await send(client)
        assert counted.calls == []

    async def test_a_file_is_not_requested_and_a_picture_is(
        self, client: AsyncClient, world: World, counted: RecordingTransport, tmp_path: Path
    ) -> None:
        world.faults.add("no_ticket")
        world.file("ahua", "me", b"the file", "a.txt")
        world.picture("ahua", "me", PNG)
        file, picture = await take_messages(client, 2)
        counted.calls.clear()

        for download in (client.download(file), client.download_to(file, tmp_path)):
            with pytest.raises(InvalidLogin, match="no cookie webwx_data_ticket"):
                await download
        assert (counted.calls, inside(tmp_path)) == ([], [])
        assert await client.download(picture) == PNG


KINDS: dict[str, tuple[Callable[[World], WorldMessage], bytes, str]] = {
    "picture": (lambda world: world.picture("ahua", "me", PNG), PNG, ".png"),
    "sticker": (lambda world: world.sticker("ahua", "me", GIF), GIF, ".gif"),
    "voice": (lambda world: world.voice("ahua", "me", MP3), MP3, ".mp3"),
    "video": (lambda world: world.video("ahua", "me", MP4), MP4, ".mp4"),
    "file": (lambda world: world.file("ahua", "me", b"{}", "我的 a.txt"), b"{}", ".txt"),
    "file in a chatroom": (lambda world: world.file("ahua", "周末爬山", b"x", "a.txt"), b"x", ".txt"),
}


class TestDownloading:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_each_kind_is_downloaded_as_bytes_and_into_a_folder(
        self, log_in: LogIn, world: World, tmp_path: Path, kind: str
    ) -> None:
        send, content, extension = KINDS[kind]
        client = await log_in()
        sent = send(world)
        [message] = await take_messages(client, 1)
        path = await client.download_to(message, tmp_path)

        assert await client.download(message) == content == path.read_bytes()
        assert inside(tmp_path) == [path]
        assert path.name == (sent.text or f"{sent.id}{extension}")

    @pytest.mark.parametrize("kind", KINDS)
    async def test_an_empty_body_is_never_accepted(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path, kind: str
    ) -> None:
        client = await log_in()
        KINDS[kind][0](world)
        [message] = await take_messages(client, 1)
        counted.calls.clear()
        world.refuse_next("webwxgetmsgimg", -1, times=99)
        for call in ("webwxgetvoice", "webwxgetvideo", "webwxgetmedia"):
            world.refuse_next(call, -1, times=99)

        with pytest.raises(MediaUnavailable):
            await client.download_to(message, tmp_path)
        assert len(counted.calls) == 3
        assert inside(tmp_path) == []

    async def test_a_sticker_of_the_store_is_refused_without_a_request(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path
    ) -> None:
        client = await log_in()
        world.send("ahua", "me", contents.store_sticker())
        [message] = await take_messages(client, 1)
        counted.calls.clear()

        with pytest.raises(MediaUnavailable, match="not available on the web"):
            await client.download_to(message, tmp_path)
        assert counted.calls == []
        assert inside(tmp_path) == []

    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_file_that_is_available_later_is_downloaded(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path, kind: str
    ) -> None:
        send, content, _ = KINDS[kind]
        client = await log_in()
        send(world)
        [message] = await take_messages(client, 1)
        empty = [Response(), Response()]
        counted.answers = {name: list(empty) for name in ("webwxgetmsgimg", "webwxgetvoice", "webwxgetvideo")}
        counted.answers["webwxgetmedia"] = list(empty)

        assert (await client.download_to(message, tmp_path)).read_bytes() == content

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "answer",
        [
            Response(headers=(("Content-Type", "text/html"),), body=b"<html><body>502</body></html>"),
            Response(body=b'{\n"BaseResponse": {\n"Ret": -1,\n"ErrMsg": ""\n}\n}'),
            Response(status=404, body=b"not found"),
        ],
        ids=["a page", "a refusal", "not found"],
    )
    async def test_another_answer_is_an_error_and_leaves_no_file(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path, kind: str, answer: Response
    ) -> None:
        client = await log_in()
        KINDS[kind][0](world)
        [message] = await take_messages(client, 1)
        names = ("webwxgetmsgimg", "webwxgetvoice", "webwxgetvideo", "webwxgetmedia")
        counted.answers = {name: [answer] * 3 for name in names}

        with pytest.raises(MediaUnavailable):
            await client.download_to(message, tmp_path)
        assert inside(tmp_path) == []

    @pytest.mark.parametrize(
        "cut",
        [
            Response(headers=(("Content-Length", "999999"),), body=MP4),
            Response(status=206, headers=(("Content-Range", f"bytes 0-{len(MP4) - 1}/999999"),), body=MP4),
        ],
        ids=["length", "range"],
    )
    async def test_a_truncated_body_is_requested_again(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path, cut: Response
    ) -> None:
        client = await log_in()
        world.video("ahua", "me", MP4)
        [message] = await take_messages(client, 1)
        counted.answers["webwxgetvideo"] = [cut] * 2
        assert (await client.download_to(message, tmp_path)).read_bytes() == MP4

        counted.answers["webwxgetvideo"] = [cut] * 3
        with pytest.raises(MediaUnavailable, match="is incomplete"):
            await client.download(message)
        assert sizes_of(tmp_path) == [len(MP4)]

    def test_the_pause_before_another_try_grows(
        self, sandbox: SandboxCore, world: World, phone_of: Callable[[str], Callable[[QrCode], object]]
    ) -> None:
        carrier = Timed(Loopback(sandbox))

        async def work() -> None:
            client = AsyncClient(server=SERVER, transport=carrier, timeouts=Timeouts(retry=7), clock=world.clock.now)
            await client.login(show_qr=phone_of("me"))
            carrier.answers["webwxgetmsgimg"] = [Response()] * 3
            with pytest.raises(MediaUnavailable):
                await client.download("1")

        run_with_virtual_clock(work)

        first, *others = [when for name, when in carrier.when if name == "webwxgetmsgimg"]
        assert [when - first for when in others] == [7, 7 + 14]

    async def test_a_range_with_the_complete_file_is_accepted(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path
    ) -> None:
        client = await log_in()
        world.video("ahua", "me", MP4)
        [message] = await take_messages(client, 1)
        headers = (("Content-Range", f"bytes 0-{len(MP4) - 1}/{len(MP4)}"),)
        counted.answers["webwxgetvideo"] = [Response(status=206, headers=headers, body=MP4)]
        path = await client.download_to(message, tmp_path)

        assert counted.requests[-1].header("Range") == "bytes=0-"
        assert path.read_bytes() == MP4

    @pytest.mark.parametrize("other", [b"shorter", b"an other"], ids=["size", "md5"])
    async def test_another_file_is_an_error(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path, other: bytes
    ) -> None:
        client = await log_in()
        world.file("ahua", "me", b"the file", "a.txt")
        [message] = await take_messages(client, 1)
        counted.answers["webwxgetmedia"] = [Response(body=other)]

        with pytest.raises(MediaUnavailable):
            await client.download_to(message, tmp_path)
        assert inside(tmp_path) == []

    async def test_ten_concurrent_downloads_of_one_batch_succeed(
        self, log_in: LogIn, world: World, tmp_path: Path
    ) -> None:
        client = await log_in()
        contents = [f"content {number}".encode() for number in range(10)]
        for content in contents:
            world.file("ahua", "me", content, "same name.txt")
        messages = await take_messages(client, 10)
        paths = await asyncio.gather(*(client.download_to(message, tmp_path) for message in reversed(messages)))

        assert [path.read_bytes() for path in reversed(paths)] == contents

    @pytest.mark.verify
    async def test_an_endless_body_ends_at_the_limit_and_leaves_no_file(
        self, log_in: LogIn, world: World, sandbox: SandboxCore, tmp_path: Path
    ) -> None:
        client = await log_in(transport=Endless(Loopback(sandbox)))
        world.file("ahua", "me", b"the file", "a.txt")
        [message] = await take_messages(client, 1)
        progress = [0]

        with pytest.raises(ProtocolError, match="larger than"):
            await client.download_to(message, tmp_path, progress=lambda done, _: progress.append(done))
        assert progress[-1] == MAX_FILE
        assert inside(tmp_path) == []

        with pytest.raises(ProtocolError, match="larger than"):
            await client.download(message, progress=lambda done, _: progress.append(done))
        assert progress[-1] == MAX_IN_MEMORY

    async def test_a_logout_instead_of_a_file_is_a_logout(self, log_in: LogIn, counted: RecordingTransport) -> None:
        client = await log_in()
        counted.answers["webwxgetmsgimg"] = [Response(body=b'{"BaseResponse":{"Ret":1102,"ErrMsg":""}}')]

        with pytest.raises(LoggedOut):
            await client.download("1")

    async def test_progress_is_reported_and_starts_again_with_each_attempt(
        self, log_in: LogIn, world: World, counted: RecordingTransport
    ) -> None:
        client = await log_in()
        world.file("ahua", "me", b"the file", "a.txt")
        [message] = await take_messages(client, 1)
        progress: list[tuple[int, int]] = []
        await client.download(message, progress=lambda *now: progress.append(now))

        assert progress == [(8, 8)]

    async def test_a_cancelled_download_leaves_no_file(self, log_in: LogIn, world: World, tmp_path: Path) -> None:
        client = await log_in()
        world.file("ahua", "me", b"the file", "a.txt")
        [message] = await take_messages(client, 1)

        def cancel(done: int, whole: int) -> None:
            task.cancel()

        task = asyncio.ensure_future(client.download_to(message, tmp_path, progress=cancel))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert inside(tmp_path) == []

    async def test_a_file_appears_when_it_is_complete(self, log_in: LogIn, world: World, tmp_path: Path) -> None:
        client = await log_in()
        world.file("ahua", "me", bytes(3 * CHUNK_SIZE), "a.bin")
        [file] = await take_messages(client, 1)
        seen: list[list[str]] = []

        def stamp(done: int, whole: int) -> None:
            seen.append([each.name for each in inside(tmp_path) if not each.name.startswith(".webwx-")])

        await client.download_to(file, tmp_path, progress=stamp)
        assert seen
        assert not any(seen)
        assert sizes_of(tmp_path) == [3 * CHUNK_SIZE]

    async def test_by_an_option_a_large_file_is_not_served(self, log_in: LogIn, world: World, tmp_path: Path) -> None:
        world.options = Options(large_files="strict")
        client = await log_in()
        world.file("ahua", "me", bytes(LARGE), "large.bin")
        [message] = await take_messages(client, 1)

        with pytest.raises(MediaUnavailable):
            await client.download_to(message, tmp_path)
        assert inside(tmp_path) == []

    async def test_a_map_and_thumbnails_are_pictures(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.send("ahua", "me", contents.location(22.5, 113.25, "label"))
        world.video("ahua", "me", MP4)
        place, video = await take_messages(client, 2)

        assert (await client.download(place)).startswith(b"\xff\xd8\xff")
        assert (await client.download_thumbnail(place)).startswith(b"\xff\xd8\xff")
        assert (await client.download_thumbnail(video.message_id)).startswith(b"\xff\xd8\xff")

    @pytest.mark.parametrize(("to", "kind"), [("no/folder/x", NoSuchFile), ("taken", InvalidRequest)])
    async def test_an_invalid_target_is_refused_before_any_request(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path, to: str, kind: type[WxError]
    ) -> None:
        client = await log_in()
        (tmp_path / "taken").write_bytes(b"mine")

        with pytest.raises(kind):
            await client.download_to("1", tmp_path / to)
        assert counted.calls == []
        assert (tmp_path / "taken").read_bytes() == b"mine"

    async def test_a_path_is_used_unchanged(self, log_in: LogIn, world: World, tmp_path: Path) -> None:
        client = await log_in()
        sent = world.picture("ahua", "me", PNG)

        assert await client.download_to(sent.id, tmp_path / ".mine") == tmp_path / ".mine"
        assert (tmp_path / ".mine").read_bytes() == PNG

    @pytest.mark.parametrize("at", [1, 2])
    async def test_a_file_that_is_rewritten_with_the_same_size_while_it_is_uploaded_is_not_sent(
        self, log_in: LogIn, world: World, counted: RecordingTransport, tmp_path: Path, at: int
    ) -> None:
        client = await log_in()
        path = tmp_path / "x.bin"

        def write(content: bytes) -> None:
            path.write_bytes(content)
            os.utime(path, (1_560_000_000, 1_560_000_000))

        def rewrite(done: int, whole: int) -> None:
            if done == at * CHUNK_SIZE:
                write(b"x" * 3 * CHUNK_SIZE)

        write(bytes(3 * CHUNK_SIZE))

        with pytest.raises(LocalStateError, match="was changed"):
            await client.send_file("filehelper", path, progress=rewrite)
        assert "webwxsendappmsg" not in counted.calls
        assert "filehelper" not in world.inbox("me")

    async def test_a_file_that_is_replaced_before_it_is_uploaded_is_not_sent(
        self, log_in: LogIn, counted: RecordingTransport, tmp_path: Path
    ) -> None:
        client = await log_in()
        path, other = tmp_path / "x.bin", tmp_path / "other"
        path.write_bytes(bytes(LARGE))
        other.write_bytes(b"x" * LARGE)
        counted.meddlers["webwxcheckupload"] = lambda: other.replace(path)

        with pytest.raises(LocalStateError, match="was changed"):
            await client.send_file("filehelper", path)
        assert "webwxsendappmsg" not in counted.calls

    async def test_a_file_that_is_replaced_while_it_is_uploaded_arrives_as_it_was(
        self, log_in: LogIn, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for settled in (
            "SETTLED_AFTER",
            "SETTLED_AFTER_COARSE",
        ):  # A replaced file whose times are old enough is refused.
            monkeypatch.setattr(file_chunks, settled, math.inf)
        client = await log_in()
        path, content = tmp_path / "x.bin", random.Random(1).randbytes(3 * CHUNK_SIZE)
        path.write_bytes(content)

        def replace(done: int, whole: int) -> None:
            other = tmp_path / "other"
            other.write_bytes(bytes(len(content)))
            other.replace(path)

        await client.send_file("filehelper", path, progress=replace)
        assert last_file(world, "me", "filehelper").md5 == md5(content)

    async def test_a_chunk_is_repeated_unchanged_although_the_file_was_rewritten(
        self, log_in: LogIn, counted: RecordingTransport, tmp_path: Path
    ) -> None:
        client = await log_in()
        path = tmp_path / "x.bin"
        path.write_bytes(bytes(2 * CHUNK_SIZE))
        counted.answers["webwxuploadmedia"] = [ConnectFailed("no")]
        counted.meddlers["webwxuploadmedia"] = lambda: path.write_bytes(b"x" * 2 * CHUNK_SIZE)

        with pytest.raises(LocalStateError, match="was changed"):
            await client.send_file("filehelper", path)
        uploads = [UPLOAD.decode_request(each) for each in counted.requests if each.endpoint == UPLOAD.name]
        chunks = [bytes(each.filename.content) for each in uploads]
        assert chunks == [bytes(CHUNK_SIZE)] * 2

    async def test_a_file_that_shrinks_during_its_upload_is_an_error(
        self, log_in: LogIn, counted: RecordingTransport, tmp_path: Path
    ) -> None:
        client = await log_in()
        path = tmp_path / "x.bin"
        path.write_bytes(bytes(2 * CHUNK_SIZE))

        with pytest.raises(LocalStateError, match="was changed"):
            await client.send_file("filehelper", path, progress=lambda *_: path.write_bytes(b"short"))
        assert counted.calls == ["webwxuploadmedia"]
