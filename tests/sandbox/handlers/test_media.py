from __future__ import annotations

import hashlib
import io
import random
import re
import sys
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, UnsetType
from PIL import Image
from tests.sandbox.conftest import Page

from webwx.protocol.appmsg import write_outgoing_file
from webwx.protocol.codec import FilePart, Media
from webwx.protocol.http import Headers
from webwx.protocol.media import (
    CHECKUPLOAD,
    GETMEDIA,
    GETMSGIMG,
    GETPUBLICLINKIMG,
    GETVIDEO,
    GETVOICE,
    PARALLELUPLOAD,
    PREVIEW,
    UPLOAD,
    CheckUploadReply,
    CheckUploadRequest,
    FileDownloadRequest,
    ImageDownloadRequest,
    MapPictureRequest,
    ParallelTicket,
    ParallelUploadReply,
    ParallelUploadRequest,
    PreviewRequest,
    UploadReply,
    UploadRequest,
    UploadTicket,
    VideoDownloadRequest,
    VoiceDownloadRequest,
)
from webwx.protocol.messages import APP, RECALL, AppRequest, OutgoingApp, RecallRequest, SendReply
from webwx.sandbox import contents
from webwx.sandbox.options import Options
from webwx.sandbox.world import World


def upload(
    page: Page,
    content: bytes,
    *,
    chunk: str = "",
    chunks: str = "",
    total: int | None = None,
    md5: str | None = None,
    media_id: int = 1,
    name: str = "photo.png",
) -> UploadReply:
    ticket = UploadTicket(
        credentials=page.credentials,
        client_media_id=media_id,
        total_len=len(content) if total is None else total,
        file_md5=hashlib.md5(content).hexdigest() if md5 is None else md5,
    )
    request = UploadRequest(
        name=name,
        chunk=chunk,
        chunks=chunks,
        uploadmediarequest=msgspec.json.encode(ticket).decode(),
        filename=FilePart(name="photo.png", content=content, boundary="X"),
    )
    return page.call(UPLOAD, request)


def download(page: Page, message_id: str, **more: str) -> Media:
    return page.call(
        GETMSGIMG,
        ImageDownloadRequest(message_id=message_id, **more),
        headers=(("Cookie", f"wxsid={page.credentials.sid}"),),
    )


def test_an_upload_without_cookies_is_sent_and_downloaded_byte_for_byte(me: Page, friend: Page, png: bytes) -> None:
    reply = upload(me, png)
    assert (reply.start_pos, reply.encry_file_name) == (len(png), "photo%2Epng")
    assert (reply.cdn_thumb_img_width, reply.cdn_thumb_img_height) == (120, 90)
    sent = me.send_image(me.name("ahua"), media_id=reply.media_id)
    (message,) = friend.messages()
    assert message.msg_id == sent.msg_id
    got = download(friend, message.msg_id)
    assert (got.content, got.content_type) == (png, "image/png")


def test_a_media_id_can_be_sent_again_and_keeps_its_keys(me: Page, friend: Page, png: bytes) -> None:
    media_id = upload(me, png).media_id
    for _ in range(2):
        me.send_image(me.name("ahua"), media_id=media_id)
    first, second = friend.messages()
    assert first.content == second.content
    assert first.msg_id != second.msg_id


def test_chunks_are_put_together_and_only_the_last_answer_names_the_media(me: Page, png: bytes) -> None:
    md5, total = hashlib.md5(png).hexdigest(), len(png)
    first = upload(me, png[:100], chunk="0", chunks="2", md5=md5, total=total, name="IMG_1002.JPG")
    assert (first.media_id, first.start_pos, first.encry_file_name) == ("", 0, "IMG%5F1002%2EJPG")
    last = upload(me, png[100:], chunk="1", chunks="2", md5=md5, total=total, name="IMG_1002.JPG")
    assert re.fullmatch(r"@crypt_[0-9a-f]{1,8}_[0-9a-f]{160}", last.media_id)
    assert (last.start_pos, last.encry_file_name) == (total, "IMG%5F1002%2EJPG")
    sent = me.send_image("filehelper", media_id=last.media_id)
    assert download(me, sent.msg_id).content == png


@pytest.mark.parametrize("by", ["md5", "name"])
def test_two_files_of_one_media_id_are_separate(me: Page, png: bytes, by: str) -> None:
    other = png[::-1]
    for content, name in ((png, "a.png"), (other, "b.png")):
        md5 = hashlib.md5(content).hexdigest() if by == "md5" else ""
        upload(me, content[:10], chunk="0", chunks="2", total=len(content), name=name, md5=md5)
    for content, name in ((png, "C:\\pictures\\a.png"), (other, "/home/b.png")):
        md5 = hashlib.md5(content).hexdigest() if by == "md5" else ""
        reply = upload(me, content[10:], chunk="1", chunks="2", total=len(content), name=name, md5=md5)
        sent = me.send_image("filehelper", media_id=reply.media_id)
        assert download(me, sent.msg_id).content == content


@pytest.mark.parametrize("wrong", [{"total": 5}, {"md5": "00"}])
def test_a_file_with_another_size_or_digest_is_refused(me: Page, png: bytes, wrong: dict[str, Any]) -> None:
    reply = upload(me, png, **wrong)
    assert (reply.base_response.ret, reply.media_id) == (1, "")


def test_an_unreadable_upload_ticket_is_refused(me: Page, png: bytes) -> None:
    request = UploadRequest(uploadmediarequest="{", filename=FilePart(name="x", content=png, boundary="X"))
    assert me.call(UPLOAD, request).base_response.ret == 1200


def test_a_recalled_picture_cannot_be_downloaded(me: Page, world: World, png: bytes) -> None:
    sent = world.picture("ahua", "me", png)
    assert download(me, sent.id).content == png
    world.recall("ahua", "me")
    assert download(me, sent.id).content == b""


@pytest.mark.parametrize("options", [Options(media_after_recall="kept")])
def test_by_an_option_a_recalled_picture_can_be_downloaded(me: Page, world: World, png: bytes) -> None:
    sent = world.picture("ahua", "me", png)
    world.recall("ahua", "me")
    assert download(me, sent.id).content == png


def test_an_own_recalled_picture_cannot_be_downloaded(me: Page, png: bytes) -> None:
    sent = me.send_image("filehelper", media_id=upload(me, png).media_id)
    me.call(RECALL, RecallRequest(credentials=me.credentials, svr_msg_id=sent.msg_id))
    assert download(me, sent.msg_id).content == b""


@pytest.mark.parametrize("kind", ["slave", "big"])
def test_a_picture_that_cannot_be_converted_is_returned_as_it_was_sent(
    me: Page, world: World, png: bytes, kind: str
) -> None:
    assert download(me, world.picture("ahua", "me", png).id, type=kind).content == png


def drawn(kind: str, mode: str = "RGB") -> bytes:
    """Return a picture of 400 x 300 pixels, always the same one."""
    out = io.BytesIO()
    Image.frombytes("L", (400, 300), random.Random(1).randbytes(120_000)).convert(mode).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_a_picture_is_returned_as_jpeg_in_its_size(me: Page, world: World, kind: str) -> None:
    got = download(me, world.picture("ahua", "me", drawn(kind)).id)
    with Image.open(io.BytesIO(got.content)) as picture:
        assert (got.content_type, picture.format, picture.size) == ("image/jpeg", "JPEG", (400, 300))


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_a_jpeg_and_a_gif_are_returned_byte_for_byte(me: Page, world: World, kind: str) -> None:
    assert download(me, world.picture("ahua", "me", drawn(kind)).id).content == drawn(kind)


@pytest.mark.parametrize("options", [Options(picture_format="sent")])
def test_by_an_option_a_picture_is_returned_as_it_was_sent(me: Page, world: World) -> None:
    got = download(me, world.picture("ahua", "me", drawn("PNG")).id)
    assert (got.content, got.content_type) == (drawn("PNG"), "image/png")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_thumbnail_is_a_small_jpeg(me: Page, world: World, kind: str) -> None:
    sent = world.picture("ahua", "me", drawn(kind))
    small = download(me, sent.id, type="slave")
    with Image.open(io.BytesIO(small.content)) as picture:
        assert (small.content_type, picture.size) == ("image/jpeg", (120, 90))
    assert len(small.content) < len(drawn(kind))


def test_what_is_transparent_becomes_white(me: Page, world: World) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (16, 16)).save(out, "PNG")
    got = download(me, world.picture("ahua", "me", out.getvalue()).id)
    with Image.open(io.BytesIO(got.content)) as picture:
        assert picture.getpixel((8, 8)) == (255, 255, 255)


def test_a_sticker_is_returned_byte_for_byte_in_every_size(me: Page, world: World) -> None:
    sent = world.sticker("ahua", "me", drawn("PNG"))
    assert {download(me, sent.id, type=kind).content for kind in ("", "big", "slave")} == {drawn("PNG")}


def test_without_the_extra_a_picture_is_returned_as_it_was_sent(
    me: Page, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = drawn("PNG", "L")  # no other test has converted this one
    monkeypatch.setitem(sys.modules, "PIL", None)
    sent = world.picture("ahua", "me", content)
    assert {download(me, sent.id, type=kind).content for kind in ("", "slave")} == {content}


def test_texts_unknown_ids_and_pictures_of_others_return_nothing(me: Page, world: World, png: bytes) -> None:
    text = world.say("ahua", "me", "字")
    foreign = world.picture("ahua", "zhangsan", png)
    for message_id in (text.id, foreign.id, "123"):
        response = me.ask(
            GETMSGIMG,
            ImageDownloadRequest(message_id=message_id),
            headers=(("Cookie", f"wxsid={me.credentials.sid}"),),
        )
        assert (response.status, response.body) == (200, b"")


# -- announced and parallel uploads ----------------------------------------------------------------------------------

LARGE = 25 * 1024 * 1024 + 1


def announce(page: Page, content: bytes, name: str = "a b.zip") -> CheckUploadReply:
    return page.call(
        CHECKUPLOAD,
        CheckUploadRequest(
            credentials=page.credentials, file_name=name, file_size=len(content),
            file_md5=hashlib.md5(content).hexdigest(),
        ),
    )  # fmt: skip


def parallel(
    page: Page,
    content: bytes,
    chunk: int,
    *,
    chunks: int = 2,
    signature: str,
    upload_id: UnsetType | str = UNSET,
    piece: bytes | None = None,
) -> ParallelUploadReply:
    ticket = ParallelTicket(
        credentials=page.credentials, signature=signature, file_md5=hashlib.md5(content).hexdigest(),
        total_len=len(content), chunks=chunks, chunk=chunk, name="a b.zip", upload_id=upload_id,
    )  # fmt: skip
    half = len(content) // 2
    piece = (content[:half], content[half:])[chunk] if piece is None else piece
    return page.call(
        PARALLELUPLOAD,
        ParallelUploadRequest(
            ticket=msgspec.json.encode(ticket).decode(), filename=FilePart(name="blob", content=piece, boundary="X")
        ),
    )


def test_announcing_a_known_file_returns_its_id_at_once(me: Page, world: World, png: bytes) -> None:
    first = announce(me, png)
    assert (first.media_id, first.encry_file_name) == ("", "a%20b%2Ezip")
    assert first.signature
    assert first.aes_key
    world.file("ahua", "zhangsan", png, "other.zip")
    second = announce(me, png)
    assert second.media_id.startswith("@crypt_")
    assert send_file(me, second.media_id, "mine.zip", len(png)).base_response.ret == 0


def test_parallel_chunks_after_the_first_may_arrive_in_any_order(me: Page, png: bytes) -> None:
    signature = announce(me, png).signature
    third = len(png) // 3
    pieces = [png[:third], png[third : 2 * third], png[2 * third :]]
    upload_id = parallel(me, png, 0, chunks=3, signature=signature, piece=pieces[0]).upload_id
    for chunk in (2, 1):
        reply = parallel(me, png, chunk, chunks=3, signature=signature, upload_id=upload_id, piece=pieces[chunk])
    assert reply.media_id.startswith("@crypt_")
    assert me.call(PREVIEW, PreviewRequest(mediaid=reply.media_id), headers=cookies(me)).content == png


@pytest.mark.parametrize(
    ("chunk", "upload_id", "signature", "ret"),
    [(1, UNSET, None, -1), (1, "@crypt_other", None, -1), (0, UNSET, "wrong", 1), (0, UNSET, "", 1)],
)
def test_a_parallel_chunk_of_an_unknown_upload_is_refused(
    me: Page, png: bytes, chunk: int, upload_id: str | UnsetType, signature: str | None, ret: int
) -> None:
    announced = announce(me, png).signature
    signature = announced if signature is None else signature
    reply = parallel(me, png, chunk, signature=signature, upload_id=upload_id)
    assert (reply.base_response.ret, reply.media_id) == (ret, "")


def test_an_unreadable_parallel_ticket_is_refused(me: Page, png: bytes) -> None:
    request = ParallelUploadRequest(ticket="{", filename=FilePart(name="blob", content=png, boundary="X"))
    assert me.call(PARALLELUPLOAD, request).base_response.ret == 1200


@pytest.mark.parametrize("options", [Options(large_files="strict")])
def test_large_files_are_announced_and_neither_served_nor_forwarded_by_an_option(me: Page, friend: Page) -> None:
    content = bytes(LARGE)
    assert upload(me, content).base_response.ret == 1
    signature = announce(me, content).signature
    half = LARGE // 2
    upload_id = parallel(me, content, 0, signature=signature, piece=content[:half]).upload_id
    media_id = parallel(me, content, 1, signature=signature, upload_id=upload_id, piece=content[half:]).media_id
    assert send_file(me, media_id, "a.zip", LARGE).base_response.ret == -1
    assert send_file(me, media_id, "a.zip", LARGE, signature=signature).base_response.ret == 0
    (message,) = friend.messages()
    assert (message.file_name, message.file_size) == ("a.zip", str(LARGE))
    assert friend.call(GETMEDIA, FileDownloadRequest(mediaid=message.media_id), headers=cookies(friend)).content == b""
    assert send_file(friend, message.media_id, "a.zip", LARGE).base_response.ret == -1


# -- the other kinds -------------------------------------------------------------------------------------------------


def send_file(page: Page, media_id: str, name: str, size: int, *, signature: UnsetType | str = UNSET) -> SendReply:
    to = page.name("ahua")
    outgoing = OutgoingApp(
        content=write_outgoing_file(name, size, media_id, app_id=""),
        to_user_name="filehelper" if to == page.me else to, signature=signature,
    )  # fmt: skip
    return page.call(APP, AppRequest(credentials=page.credentials, msg=outgoing))


def cookies(page: Page) -> Headers:
    return (("Cookie", f"wxsid={page.credentials.sid}"),)


MP4 = b"\0\0\0\x18ftypmp42" + bytes(range(200))


def test_a_video_is_empty_without_a_range_and_206_with_one(me: Page, world: World) -> None:
    sent = world.video("ahua", "me", MP4)
    nothing = me.ask(GETVIDEO, VideoDownloadRequest(message_id=sent.id), headers=cookies(me))
    assert (nothing.status, nothing.body) == (200, b"")
    whole = me.ask(GETVIDEO, VideoDownloadRequest(message_id=sent.id, range="bytes=0-"), headers=cookies(me))
    assert (whole.status, whole.body, whole.header("Content-Type")) == (206, MP4, "video/mp4")
    assert whole.header("Content-Range") == f"bytes 0-{len(MP4) - 1}/{len(MP4)}"
    part = me.ask(GETVIDEO, VideoDownloadRequest(message_id=sent.id, range="bytes=4-7"), headers=cookies(me))
    assert (part.body, part.header("Content-Range")) == (b"ftyp", f"bytes 4-7/{len(MP4)}")


@pytest.mark.parametrize("range_", ["bytes=999-", "bytes=9-2", "bytes=-5", "pages=1-2"])
def test_an_invalid_range_returns_nothing(me: Page, world: World, range_: str) -> None:
    sent = world.video("ahua", "me", MP4)
    assert me.call(GETVIDEO, VideoDownloadRequest(message_id=sent.id, range=range_), headers=cookies(me)).content == b""


@pytest.mark.parametrize(("range_", "status"), [("", 200), ("bytes=0-", 206)])
def test_a_voice_is_returned_with_and_without_a_range(me: Page, world: World, range_: str, status: int) -> None:
    sent = world.voice("ahua", "me", b"ID3voice")
    got = me.ask(GETVOICE, VoiceDownloadRequest(message_id=sent.id, range=range_), headers=cookies(me))
    assert (got.status, got.body, got.header("Content-Type")) == (status, b"ID3voice", "audio/mp3")


def test_only_its_receiver_downloads_a_file_by_its_media_id(me: Page, friend: Page, world: World) -> None:
    world.file("ahua", "me", b"content", "a b.txt")
    (message,) = me.messages()
    request = FileDownloadRequest(mediaid=message.media_id)
    got = me.ask(GETMEDIA, request, headers=cookies(me))
    assert (got.body, got.header("Content-Disposition")) == (b"content", 'attachment; filename="a%20b%2Etxt"')
    assert friend.ask(GETMEDIA, request, headers=cookies(friend)).body == b""


def test_only_what_has_a_thumbnail_has_one(me: Page, world: World) -> None:
    video, voice = world.video("ahua", "me", MP4), world.voice("ahua", "me", b"ID3")
    place = world.send("ahua", "me", contents.location(1, 2, "x"))
    assert download(me, video.id, type="slave").content_type == "image/jpeg"
    assert download(me, video.id).content == b""
    assert download(me, voice.id, type="slave").content == b""
    assert me.call(GETPUBLICLINKIMG, MapPictureRequest(msgid=place.id), headers=cookies(me)).content != b""
    assert me.call(GETPUBLICLINKIMG, MapPictureRequest(msgid=video.id), headers=cookies(me)).content == b""
    assert me.call(PREVIEW, PreviewRequest(mediaid="@crypt_other"), headers=cookies(me)).content == b""
    no_voice = VoiceDownloadRequest(message_id=place.id, range="bytes=0-")
    no_video = VideoDownloadRequest(message_id=place.id, range="bytes=0-")
    assert me.call(GETVOICE, no_voice, headers=cookies(me)).content == b""
    assert me.call(GETVIDEO, no_video, headers=cookies(me)).content == b""
