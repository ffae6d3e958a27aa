import hashlib

import msgspec
import pytest

from webwx.protocol.codec import FilePart
from webwx.protocol.media import (
    GETMSGIMG,
    UPLOAD,
    ImageDownloadRequest,
    UploadRequest,
    UploadTicket,
)
from webwx.protocol.messages import RECALL, RecallRequest
from webwx.sandbox.switches import Switches


def upload(page, content, *, chunk="", chunks="", total=None, md5=None, media_id=1, name="photo.png"):
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
        filename=FilePart(name="photo.png", content=content),
    )
    return page.call(UPLOAD, request)


def download(page, message_id, **more):
    return page.call(
        GETMSGIMG,
        ImageDownloadRequest(message_id=message_id, **more),
        headers=(("Cookie", f"wxsid={page.credentials.sid}"),),
    )


def test_an_upload_without_cookies_is_sent_and_downloaded_byte_for_byte(me, friend, png):
    reply = upload(me, png)
    assert (reply.start_pos, reply.encry_file_name) == (len(png), "photo%2Epng")
    assert (reply.cdn_thumb_img_width, reply.cdn_thumb_img_height) == (120, 90)
    sent = me.send_image(me.name("ahua"), media_id=reply.media_id)
    (message,) = friend.messages()
    assert message.msg_id == sent.msg_id
    got = download(friend, message.msg_id)
    assert (got.content, got.content_type) == (png, "image/png")


def test_a_media_id_can_be_sent_again_and_keeps_its_keys(me, friend, png):
    media_id = upload(me, png).media_id
    for _ in range(2):
        me.send_image(me.name("ahua"), media_id=media_id)
    first, second = friend.messages()
    assert first.content == second.content
    assert first.msg_id != second.msg_id


def test_chunks_are_put_together_and_only_the_last_answer_names_the_media(me, png):
    md5, total = hashlib.md5(png).hexdigest(), len(png)
    first = upload(me, png[:100], chunk="0", chunks="2", md5=md5, total=total)
    assert (first.media_id, first.start_pos) == ("", 100)
    last = upload(me, png[100:], chunk="1", chunks="2", md5=md5, total=total)
    assert last.media_id.startswith("@crypt_")
    sent = me.send_image("filehelper", media_id=last.media_id)
    assert download(me, sent.msg_id).content == png


@pytest.mark.parametrize("by", ["md5", "name"])
def test_two_files_of_one_media_id_are_kept_apart(me, png, by):
    more = {} if by == "md5" else {"md5": ""}
    other = png[::-1]
    for content, name in ((png, "a.png"), (other, "b.png")):
        digest = more or {"md5": hashlib.md5(content).hexdigest()}
        upload(me, content[:10], chunk="0", chunks="2", total=len(content), name=name, **digest)
    for content, name in ((png, "C:\\pictures\\a.png"), (other, "/home/b.png")):
        digest = more or {"md5": hashlib.md5(content).hexdigest()}
        reply = upload(me, content[10:], chunk="1", chunks="2", total=len(content), name=name, **digest)
        sent = me.send_image("filehelper", media_id=reply.media_id)
        assert download(me, sent.msg_id).content == content


@pytest.mark.parametrize("wrong", [{"total": 5}, {"md5": "00"}])
def test_a_file_that_arrived_otherwise_is_refused(me, png, wrong):
    reply = upload(me, png, **wrong)
    assert (reply.base_response.ret, reply.media_id) == (1, "")


def test_an_unreadable_upload_ticket_is_refused(me, png):
    request = UploadRequest(uploadmediarequest="{", filename=FilePart(name="x", content=png))
    assert me.call(UPLOAD, request).base_response.ret == 1200


def test_a_recalled_picture_is_gone(me, world, png):
    sent = world.picture("ahua", "me", png)
    assert download(me, sent.id).content == png
    world.recall("ahua", "me")
    assert download(me, sent.id).content == b""


@pytest.mark.parametrize("switches", [Switches(media_after_recall="kept")])
def test_a_recalled_picture_is_still_there_by_a_switch(me, world, png):
    sent = world.picture("ahua", "me", png)
    world.recall("ahua", "me")
    assert download(me, sent.id).content == png


def test_an_own_recalled_picture_is_gone_too(me, png):
    sent = me.send_image("filehelper", media_id=upload(me, png).media_id)
    me.call(RECALL, RecallRequest(credentials=me.credentials, svr_msg_id=sent.msg_id))
    assert download(me, sent.msg_id).content == b""


@pytest.mark.parametrize("kind", ["slave", "big"])
def test_every_size_gives_the_whole_picture(me, world, png, kind):
    assert download(me, world.picture("ahua", "me", png).id, type=kind).content == png


def test_texts_unknown_ids_and_other_peoples_pictures_give_nothing(me, world, png):
    text = world.say("ahua", "me", "字")
    foreign = world.picture("ahua", "zhangsan", png)
    for message_id in (text.id, foreign.id, "123"):
        response = me.ask(
            GETMSGIMG,
            ImageDownloadRequest(message_id=message_id),
            headers=(("Cookie", f"wxsid={me.credentials.sid}"),),
        )
        assert (response.status, response.body) == (200, b"")
