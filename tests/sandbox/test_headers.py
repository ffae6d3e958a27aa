"""The headers of each response, compared with those of the live service."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

import msgspec
import pytest
from tests.recording import RECORDINGS
from tests.sandbox.conftest import Page, answered

from webwx.protocol.codec import FilePart, write_json
from webwx.protocol.contacts import GETHEADIMG, GETICON, AvatarRequest
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import FAMILIES, Hosts, single
from webwx.protocol.http import Headers, Request, Response
from webwx.protocol.login import JSLOGIN, LOGIN_POLL, QR_PICTURE, PollRequest, QrPictureRequest, QrRequest
from webwx.protocol.media import (
    GETMSGIMG,
    GETVIDEO,
    UPLOAD,
    ImageDownloadRequest,
    UploadRequest,
    UploadTicket,
    VideoDownloadRequest,
)
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckRequest, SyncRequest
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.media import SOME_VIDEO
from webwx.sandbox.world import World

HERE = single("http://127.0.0.1:8790")


def recorded() -> Iterator[tuple[str, Headers]]:
    """Yield each answer whose headers were recorded: the call and its headers."""
    for path in sorted((RECORDINGS / "corpus/http-headers").iterdir()):
        first, *lines = path.read_text("utf-8").splitlines()
        yield (
            first.split()[0].rstrip(":"),
            tuple((name, value) for name, _, value in (line.partition(": ") for line in lines if line)),
        )


RECORDED = dict(recorded())

OF_THE_CONNECTION = {"connection", "content-length", "content-encoding"}
"""Headers that the port sends, not the core."""

OUR_OWN = {"date", "etag"}
"""The world's time, and a digest of pictures: no recording has both."""


def lifetimes(headers: Headers) -> list[tuple[object, ...]]:
    """Return the attributes of each cookie; its end is in seconds after the earliest end."""
    cookies = [value.split("; ") for name, value in headers if name == "Set-Cookie"]
    ends = [parsedate_to_datetime(cookie[3].removeprefix("Expires=")).timestamp() for cookie in cookies]
    return [
        (cookie[0].partition("=")[0], *cookie[1:3], end - min(ends), *cookie[4:])
        for cookie, end in zip(cookies, ends, strict=True)
    ]


def plain(headers: Headers, *beside: str) -> list[tuple[str, str]]:
    """Return all headers except cookies, with dates replaced by their format."""
    return sorted(
        (name.lower(), re.sub(r"\d", "0", re.sub(r"\b[A-Z][a-z]{2}\b", "Aaa", value)) if "GMT" in value else value)
        for name, value in headers
        if name != "Set-Cookie" and name.lower() not in OF_THE_CONNECTION | set(beside)
    )


@pytest.fixture
def asked(world: World, page: Page, png: bytes) -> Callable[..., Response]:
    """Answers to each call with recorded headers, as a browser gets them on the hosts of wx.qq.com."""

    def ask(name: str, *, hosts: Hosts = FAMILIES["wx.qq.com"], headers: Headers = ()) -> Response:
        page.hosts = hosts
        if name in {"jslogin", "qrcode", "login", "webwxnewloginpage"}:
            uuid = page.new_code()
            world.scan("me", uuid)
            world.confirm(uuid)
        else:
            page.login()
            world.say("ahua", "me", "在吗")
        cookie = ("Cookie", f"wxsid={page.credentials.sid}")
        if name == "webwxnewloginpage":
            return page.exchange(uuid)
        ticket = UploadTicket(credentials=page.credentials, client_media_id=1, total_len=len(png))
        calls: dict[str, Callable[[], tuple[Endpoint[Any, Any], msgspec.Struct, Headers]]] = {
            "jslogin": lambda: (JSLOGIN, QrRequest(), ()),
            "qrcode": lambda: (QR_PICTURE, QrPictureRequest(uuid=uuid), ()),
            "login": lambda: (LOGIN_POLL, PollRequest(uuid=uuid), ()),
            "synccheck": lambda: (
                SYNCCHECK, CheckRequest(sid=page.credentials.sid, synckey=str(page.sync_key)), (),
            ),
            "webwxsync": lambda: (WEBWXSYNC, SyncRequest(credentials=page.credentials, sync_key=page.sync_key), ()),
            "webwxgeticon": lambda: (GETICON, AvatarRequest(username=page.me), (cookie,)),
            "webwxgetheadimg": lambda: (GETHEADIMG, AvatarRequest(username=page.name("hiking")), (cookie,)),
            "webwxuploadmedia": lambda: (
                UPLOAD,
                UploadRequest(
                    name="IMG_1002.JPG", chunk="0", chunks="7", uploadmediarequest=write_json(ticket).decode(),
                    filename=FilePart(name="blob", content=png, boundary="X"),
                ),
                (("Origin", "https://wx.qq.com"),),
            ),
        }  # fmt: skip
        endpoint, request, beside = calls[name]()
        return page.ask(endpoint, request, headers=(*beside, *headers))

    return ask


@pytest.mark.parametrize("name", RECORDED)
def test_the_headers_of_an_answer_are_those_of_the_live_service(asked: Callable[..., Response], name: str) -> None:
    wanted, headers = RECORDED[name], asked(name).headers
    beside = {name.lower() for name, _ in headers} & OUR_OWN - {name.lower() for name, _ in wanted}
    assert plain(headers, *beside) == plain(wanted)


@pytest.mark.parametrize("name", ["webwxnewloginpage", "webwxsync"])
def test_the_cookies_of_an_answer_are_those_of_the_live_service(asked: Callable[..., Response], name: str) -> None:
    assert lifetimes(asked(name).headers) == lifetimes(RECORDED[name])


@pytest.mark.parametrize("name", RECORDED)
def test_headers_that_need_tls_are_not_sent_over_plain_http(asked: Callable[..., Response], name: str) -> None:
    answer = asked(name, hosts=HERE)
    assert not answer.header("Strict-Transport-Security")
    assert not any("Secure" in cookie for cookie in answer.header_values("Set-Cookie"))


@pytest.mark.parametrize("name", ["webwxgeticon", "webwxgetheadimg"])
def test_a_cached_picture_is_not_sent_again(asked: Callable[..., Response], name: str) -> None:
    first = asked(name)
    again = asked(name, headers=(("If-None-Match", first.header("ETag")),))
    other = asked(name, headers=(("If-None-Match", '"other"'),))
    assert (again.status, again.body, again.header("ETag")) == (304, b"", first.header("ETag"))
    assert (other.status, other.body) == (200, first.body)


def test_the_picture_of_a_message_has_a_tag_and_a_refusal_has_none(me: Page, world: World, png: bytes) -> None:
    picture = world.picture("ahua", "me", png)
    cookie = (("Cookie", f"wxsid={me.credentials.sid}"),)
    tags = [
        me.ask(GETMSGIMG, ImageDownloadRequest(message_id=each), headers=cookie).header("ETag")
        for each in (picture.id, "1")
    ]
    assert tags == [f'"{hashlib.md5(png).hexdigest()}"', ""]


def test_the_parts_of_a_video_state_its_time_and_its_tag(me: Page, world: World) -> None:
    video = world.video("ahua", "me", SOME_VIDEO)
    sent = formatdate(world.now, usegmt=True)
    world.wind(60)

    def ask(*headers: tuple[str, str], part: str = "") -> Response:
        cookie = ("Cookie", f"wxsid={me.credentials.sid}")
        return me.ask(GETVIDEO, VideoDownloadRequest(message_id=video.id, range=part), headers=(cookie, *headers))

    first = ask(part="bytes=0-")
    tag = f'"{hashlib.md5(SOME_VIDEO).hexdigest()}"'
    assert (first.status, first.header("Last-Modified"), first.header("ETag")) == (206, sent, tag)
    assert (ask(part="bytes=4-7").header("Last-Modified"), ask(part="bytes=4-7").header("ETag")) == (sent, tag)
    assert ask(("If-None-Match", tag), part="bytes=0-").status == 304
    assert not ask().header("ETag")


def test_the_picture_of_a_message_states_the_time_of_the_message(me: Page, world: World, png: bytes) -> None:
    picture = world.picture("ahua", "me", png)
    sent = formatdate(world.now, usegmt=True)
    world.wind(60)
    cookie = (("Cookie", f"wxsid={me.credentials.sid}"),)
    assert (
        me.ask(GETMSGIMG, ImageDownloadRequest(message_id=picture.id), headers=cookie).header("Last-Modified") == sent
    )


@pytest.mark.parametrize(
    ("host", "asks"),
    [
        ("https://file.wx.qq.com", (("Origin", "https://wx.qq.com"), ("Access-Control-Request-Method", "POST"))),
        ("https://file.wx.qq.com", ()),
        ("http://127.0.0.1:8790", ()),
    ],
    ids=["page", "program", "program-at-the-plain-address"],
)
def test_a_preflight_request_is_answered_as_by_the_live_service(sandbox: SandboxCore, host: str, asks: Headers) -> None:
    url = f"{host}{UPLOAD.path}?f=json"
    answer = answered(sandbox, Request(endpoint="any", method="OPTIONS", url=url, headers=asks))
    reply = UPLOAD.decode_reply(answer)
    assert (answer.status, reply.base_response.ret, reply.media_id) == (200, 1, "")
    assert list(json.loads(answer.body)) == [
        "BaseResponse", "MediaId", "StartPos", "CDNThumbImgHeight", "CDNThumbImgWidth"
    ]  # fmt: skip


def test_a_page_of_the_platform_may_read_a_poll_with_its_cookies(page: Page) -> None:
    page.hosts = FAMILIES["wx2.qq.com"]
    request = CheckRequest(sid="unknown")
    answer = page.ask(SYNCCHECK, request, headers=(("Origin", "https://wx2.qq.com"),))
    assert answer.header_values("Access-Control-Allow-Origin") == ("https://wx2.qq.com",)
