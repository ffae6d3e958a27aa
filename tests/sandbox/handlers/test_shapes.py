"""Every response of the sandbox compared with the live service: order of keys, types, whitespace, flags."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from tests.recording import RECORDINGS
from tests.samples import sample
from tests.sandbox.conftest import Page, Q, R

from webwx.protocol import ENDPOINTS
from webwx.protocol.chatrooms import (
    CREATECHATROOM,
    UPDATECHATROOM,
    CreateChatroomRequest,
    NewMember,
    UpdateChatroomRequest,
)
from webwx.protocol.codec import MEDIA, FilePart, write_json
from webwx.protocol.contacts import (
    BATCHGETCONTACT,
    GETCONTACT,
    OPLOG,
    SEARCHCONTACT,
    VERIFYUSER,
    WEBWXINIT,
    BatchContactsRequest,
    ContactKey,
    ContactsRequest,
    InitRequest,
    OplogRequest,
    SearchContactRequest,
    VerifyUser,
    VerifyUserRequest,
)
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.login import (
    JSLOGIN,
    LOGIN_POLL,
    LOGOUT,
    PUSHLOGIN,
    TICKET,
    Credentials,
    LogoutRequest,
    PollRequest,
    PushLoginRequest,
    QrRequest,
    TicketRequest,
)
from webwx.protocol.media import (
    CHECKUPLOAD,
    PARALLELUPLOAD,
    UPLOAD,
    CheckUploadRequest,
    ParallelTicket,
    ParallelUploadRequest,
    UploadRequest,
    UploadTicket,
)
from webwx.protocol.messages import (
    APP,
    IMAGE,
    RECALL,
    STATUSNOTIFY,
    STICKER,
    TEXT,
    VIDEO,
    AppRequest,
    ImageRequest,
    OutgoingApp,
    OutgoingImage,
    OutgoingSticker,
    OutgoingText,
    OutgoingVideo,
    RecallRequest,
    StatusNotifyRequest,
    StickerRequest,
    TextRequest,
    VideoRequest,
)
from webwx.protocol.reports import SENDFEEDBACK, STATREPORT, FeedbackRequest, ReportRequest
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckRequest, SyncRequest
from webwx.sandbox import contents
from webwx.sandbox.handlers import HANDLERS
from webwx.sandbox.media import SOME_VIDEO, SOME_VOICE
from webwx.sandbox.world import World

CORPUS = RECORDINGS / "corpus"

MEDIA_CALLS = {endpoint.name for endpoint in ENDPOINTS if endpoint.reply_shape is MEDIA}
"""Calls whose answer is not text."""

SENDS = {"webwxsendmsg", "webwxsendmsgimg", "webwxsendvideomsg", "webwxsendemoticon", "webwxsendappmsg"}

PRINTED = [
    "base-answer/001.json", "send-answer/008.json", "send-answer/014.json", "webwxgetcontact/004.json",
    "webwxinit/004.json", "webwxrevokemsg/001.json", "webwxuploadmedia/004.json", "webwxuploadmedia/007.json",
]  # fmt: skip
"""Recordings with the server's original line breaks; other recordings were indented afterwards."""


def folder_of(name: str) -> str:
    """Return the folder of the recordings of a call's answers."""
    return {"webwxstatusnotify": "base-answer", "webwxpushloginurl": "pushlogin"}.get(
        name, "send-answer" if name in SENDS else name
    )


BROKEN = {"webwxbatchgetcontact/005.json"}
"""Recordings that their authors truncated."""


Shape = str | tuple[str, ...]
"""The type of a value, or the keys of an object."""


@cache
def recordings(folder: str) -> list[dict[str, Any]]:
    paths = sorted((CORPUS / folder).glob("*.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths if f"{folder}/{path.name}" not in BROKEN]


def nodes(value: Any, place: str = "$") -> Iterator[tuple[str, Shape]]:
    """List all parts of an answer: the path of each, and the keys of an object or the type of a value."""
    if isinstance(value, dict):
        yield place, tuple(value)
        for key, each in value.items():
            yield from nodes(each, f"{place}.{key}")
    elif isinstance(value, list):
        yield place, "list"
        for each in value:
            yield from nodes(each, f"{place}[]")
    else:
        yield place, type(value).__name__


@cache
def known(folder: str) -> dict[str, set[Shape]]:
    """
    Return the recorded keys or type at each path; for objects the longest, since fields were added over the years.
    """
    places = dict[str, set[Shape]]()
    for answer in recordings(folder):
        for place, kind in nodes(answer):
            places.setdefault(place, set()).add(kind)
    for place, kinds in places.items():
        most = max((len(kind) for kind in kinds if isinstance(kind, tuple)), default=0)
        places[place] = {kind for kind in kinds if not isinstance(kind, tuple) or len(kind) == most}
    return places


class Caller:
    """Makes every call once as a logged-in client, and stores the answers."""

    def __init__(self, page: Page, png: bytes) -> None:
        self.page = page
        self.png = png
        self.bodies = dict[str, list[bytes]]()
        page.hosts = FAMILIES["wx.qq.com"]

    def ask(self, endpoint: Endpoint[Q, R], value: Q) -> R:
        cookie = ("Cookie", f"wxsid={self.page.credentials.sid}")
        response = self.page.ask(endpoint, value, headers=(cookie,))
        self.bodies.setdefault(endpoint.name, []).append(response.body)
        return endpoint.decode_reply(response)

    def log_in(self) -> None:
        world, page = self.page.world, self.page
        uuid = self.ask(JSLOGIN, QrRequest()).uuid
        world.scan("me", uuid)
        self.ask(LOGIN_POLL, PollRequest(uuid=uuid))
        world.confirm(uuid)
        redirect = self.ask(LOGIN_POLL, PollRequest(uuid=uuid)).redirect_uri
        request = TicketRequest(redirect_query=redirect.partition("?")[2], version="v2")
        ticket = self.ask(TICKET, request)
        page.credentials = Credentials(uin=ticket.wxuin, sid=ticket.wxsid, skey=ticket.skey)
        init = self.ask(WEBWXINIT, InitRequest(credentials=page.credentials))
        page.me, page.sync_key = init.user.user_name, init.sync_key
        self.ask(STATUSNOTIFY, StatusNotifyRequest(credentials=page.credentials, code=3))
        self.ask(SYNCCHECK, CheckRequest(sid=page.credentials.sid, synckey=str(page.sync_key)))

    def look_around(self) -> None:
        page = self.page
        me = page.credentials
        self.ask(GETCONTACT, ContactsRequest())
        keys = [ContactKey(user_name=page.name(each)) for each in ("ahua", "hiking", "books", "weekly", "filehelper")]
        self.ask(BATCHGETCONTACT, BatchContactsRequest(credentials=me, count=len(keys), list=tuple(keys)))
        self.ask(SEARCHCONTACT, SearchContactRequest(credentials=me, key_word="阿华"))
        self.ask(OPLOG, OplogRequest(credentials=me, cmd_id=2, user_name=page.name("ahua"), remark_name="花"))
        page.world.add_person("新来的", "new")
        ticket = page.world.ask_friend("new", "me", "我是新来的").content.wire.recommend_info.ticket
        user = VerifyUser(value=page.name("new"), verify_user_ticket=ticket)
        self.ask(VERIFYUSER, VerifyUserRequest(credentials=me, opcode=3, verify_user_list=(user,)))
        members = tuple(NewMember(user_name=page.name(each)) for each in ("ahua", "zhangsan"))
        room = self.ask(CREATECHATROOM, CreateChatroomRequest(credentials=me, member_count=2, member_list=members))
        change = UpdateChatroomRequest(
            credentials=me, fun="addmember", chat_room_name=room.chat_room_name, add_member_list=page.name("lilei")
        )
        self.ask(UPDATECHATROOM, change)
        self.ask(SENDFEEDBACK, FeedbackRequest(credentials=me))
        self.ask(STATREPORT, ReportRequest(credentials=me))

    def upload(self, content: bytes, name: str, *, chunks: int = 1) -> str:
        ticket = UploadTicket(credentials=self.page.credentials, client_media_id=len(content), total_len=len(content))
        size = -(-len(content) // chunks)
        for chunk in range(chunks):
            request = UploadRequest(
                name=name, chunk=str(chunk), chunks=str(chunks), uploadmediarequest=write_json(ticket).decode(),
                filename=FilePart(name="blob", content=content[chunk * size :][:size], boundary="X"),
            )  # fmt: skip
            reply = self.ask(UPLOAD, request)
        return reply.media_id

    def send(self) -> None:
        me, ahua = self.page.credentials, self.page.name("ahua")
        sent = self.ask(
            TEXT,
            TextRequest(credentials=me, msg=OutgoingText(content="你好", to_user_name=ahua)),
        )
        picture = self.upload(self.png, "IMG_1002.JPG", chunks=7)
        self.ask(
            IMAGE,
            ImageRequest(
                credentials=me,
                msg=OutgoingImage(media_id=picture, to_user_name=ahua),
            ),
        )
        self.ask(
            IMAGE,
            ImageRequest(
                credentials=me,
                msg=OutgoingImage(media_id="@crypt_0_0", to_user_name=ahua),
            ),
        )
        film = self.upload(SOME_VIDEO, "1.mp4")
        self.ask(
            VIDEO,
            VideoRequest(credentials=me, msg=OutgoingVideo(media_id=film, to_user_name=ahua)),
        )
        moving = self.upload(b"GIF89a\x10\0\x10\0", "1.gif")
        self.ask(
            STICKER,
            StickerRequest(
                credentials=me,
                msg=OutgoingSticker(media_id=moving, to_user_name=ahua),
            ),
        )
        plan = self.upload(b"plan", "王-日报-20171121.xlsx")
        content = (
            f"<appmsg><title>plan</title><type>6</type><appattach><attachid>{plan}</attachid></appattach></appmsg>"
        )
        self.ask(
            APP,
            AppRequest(credentials=me, msg=OutgoingApp(content=content, to_user_name=ahua)),
        )
        self.ask(RECALL, RecallRequest(credentials=me, svr_msg_id=sent.msg_id))
        digest = hashlib.md5(b"large").hexdigest()
        known = self.ask(
            CHECKUPLOAD, CheckUploadRequest(credentials=me, file_name="a.zip", file_size=5, file_md5=digest)
        )
        ticket = ParallelTicket(
            credentials=me, signature=known.signature, file_md5=digest, total_len=5, chunks=1, name="a.zip"
        )
        chunk = FilePart(name="blob", content=b"large", boundary="X")
        self.ask(PARALLELUPLOAD, ParallelUploadRequest(ticket=write_json(ticket).decode(), filename=chunk))

    def listen(self) -> None:
        world = self.page.world
        ahua = world.person("ahua")
        for message in (
            contents.text("在吗"), contents.image(world.media.add(self.png)), contents.store_sticker(),
            contents.sticker(ahua, world.media.add(b"GIF89a\x10\0\x10\0")), contents.location(31.2, 121.5, "外滩"),
            contents.file(ahua, world.media.add(b"plan", "plan.pdf")), contents.card(world.person("lilei")),
            contents.voice(ahua, world.media.add(SOME_VOICE), 1000),
            contents.video(ahua, world.media.add(SOME_VIDEO), 1), contents.link(ahua, "标题", "http://a/"),
            contents.call(),
        ):  # fmt: skip
            world.send("ahua", "me", message)
        world.recall("ahua", "me")
        world.open_chat(who="me", chat="ahua")
        world.unfriend("me", "zhangsan")
        self.ask(SYNCCHECK, CheckRequest(sid=self.page.credentials.sid, synckey=str(self.page.sync_key)))
        self.ask(WEBWXSYNC, SyncRequest(credentials=self.page.credentials, sync_key=self.page.sync_key))

    def make_the_other_calls(self) -> None:
        for endpoint in ENDPOINTS:
            if endpoint.name not in self.bodies and endpoint.name not in {*MEDIA_CALLS, LOGOUT.name, PUSHLOGIN.name}:
                request = sample(endpoint.request)
                self.ask(endpoint, msgspec.structs.replace(request, credentials=self.page.credentials))

    def leave(self) -> None:
        credentials = self.page.credentials
        session = self.page.session
        self.ask(LOGOUT, LogoutRequest(sid=credentials.sid))
        self.ask(WEBWXSYNC, SyncRequest(credentials=credentials))
        self.ask(TEXT, TextRequest(credentials=credentials, msg=OutgoingText(to_user_name="filehelper")))
        self.ask(STATUSNOTIFY, StatusNotifyRequest(credentials=credentials))
        keys = session.keys
        cookie = ("Cookie", f"webwxuvid={keys.uvid}; webwx_auth_ticket={keys.auth_ticket}")
        response = self.page.ask(PUSHLOGIN, PushLoginRequest(uin=session.person.uin), headers=(cookie,))
        self.bodies[PUSHLOGIN.name] = [response.body]


@pytest.fixture
def bodies(world: World, page: Page, png: bytes) -> dict[str, list[bytes]]:
    """The answers to each call, in a world that has content of every kind."""
    world.add_chatroom("读书会", ["me", "ahua"], "books")
    caller = Caller(page, png)
    caller.log_in()
    caller.look_around()
    caller.send()
    caller.listen()
    caller.make_the_other_calls()
    caller.leave()
    return caller.bodies


SCRIPTS = {"jslogin": "jslogin/001.txt", "synccheck": "synccheck/002.txt", "webwxnewloginpage": "newloginpage/002.txt"}
"""Answers that are not JSON, with a complete recording."""

JSON_CALLS = sorted(HANDLERS.keys() - MEDIA_CALLS - SCRIPTS.keys() - {"login"})

NOT_RECORDED = {name for name in JSON_CALLS if not (CORPUS / folder_of(name)).is_dir()}
"""Calls without a published answer; only the beginning is known."""


def test_every_call_is_compared(bodies: dict[str, list[bytes]]) -> None:
    assert bodies.keys() == HANDLERS.keys() - MEDIA_CALLS


@pytest.mark.parametrize("name", [name for name in JSON_CALLS if name not in {*NOT_RECORDED, "webwxpushloginurl"}])
def test_an_answer_has_the_keys_of_the_live_service_in_their_order_and_its_types(
    bodies: dict[str, list[bytes]], name: str
) -> None:
    recorded = known(folder_of(name))
    for body in bodies[name]:
        for place, kind in nodes(json.loads(body)):
            assert kind in recorded.get(place, ()), place


@pytest.mark.parametrize("name", sorted(NOT_RECORDED))
def test_an_answer_without_a_recording_begins_like_all_others(bodies: dict[str, list[bytes]], name: str) -> None:
    for body in bodies[name]:
        answer = json.loads(body)
        assert next(iter(answer)) == "BaseResponse"
        assert tuple(answer["BaseResponse"]) == ("Ret", "ErrMsg")
        for place, kind in nodes(answer.get("MemberList", []), "$.MemberList"):
            assert kind in known("webwxcreatechatroom")[place]


def test_every_part_of_the_recordings_is_in_some_answer(bodies: dict[str, list[bytes]]) -> None:
    # Otherwise the comparison could pass on an empty list.
    wanted = {
        "webwxinit": {"ContactList[].MemberList[]", "MPSubscribeMsgList[].MPArticleList[]", "SyncKey.List[]"},
        "webwxsync": {"AddMsgList[].RecommendInfo", "ModContactList[].MemberList[]", "DelContactList[]"},
        "webwxgetcontact": {"MemberList[]"},
        "webwxbatchgetcontact": {"ContactList[].MemberList[]"},
        "webwxcreatechatroom": {"MemberList[]"},
    }
    for name, places in wanted.items():
        seen = {place for body in bodies[name] for place, _ in nodes(json.loads(body))}
        assert {f"$.{place}" for place in places} <= seen


# -- whitespace ------------------------------------------------------------------------------------------------------

TOKEN = re.compile(rb'(\s*)("(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+)')


def gaps(body: bytes) -> set[tuple[bytes, bytes, bytes]]:
    """Return the whitespace between the tokens of JSON: the token before it, the whitespace, the token after it."""
    before, found = b"", set[tuple[bytes, bytes, bytes]]()
    for blanks, token in TOKEN.findall(body):
        token = token if token in b"[]{}:," else b"value"
        found.add((before, blanks, token))
        before = token
    found.add((before, body[len(body.rstrip()) :], b""))
    return found


@pytest.mark.parametrize("name", [name for name in JSON_CALLS if name != "webwxpushloginurl"])
def test_an_answer_has_the_line_breaks_of_the_live_service(bodies: dict[str, list[bytes]], name: str) -> None:
    recorded = {(b"}", b"\n", b"}")}  # No recording with original bytes has two objects one after the other.
    for each in PRINTED:
        printed = re.sub(rb"\n +", b"\n", (CORPUS / each).read_bytes()).rstrip() + b"\n"
        recorded |= gaps(printed)
    for body in bodies[name]:
        assert gaps(body) <= recorded


@pytest.mark.parametrize("name", ["webwxpushloginurl", *SCRIPTS])
def test_an_answer_on_one_line_has_the_form_of_the_live_service(bodies: dict[str, list[bytes]], name: str) -> None:
    recording = (CORPUS / SCRIPTS.get(name, "pushlogin/001.json")).read_bytes().rstrip(b"\n")
    for body in bodies[name]:
        assert form(body) == form(recording)


def form(body: bytes) -> bytes:
    """Replace the text inside quotes and between tags by one character."""
    return re.sub(rb">[^<]+<", b">x<", re.sub(rb'"[^"]*"', b'"x"', body))


def test_the_poll_response_has_the_form_of_the_live_service(bodies: dict[str, list[bytes]]) -> None:
    scanned, confirmed = bodies["login"]
    picture, redirect = ((CORPUS / "login-poll" / name).read_bytes() for name in ("005.txt", "013.txt"))
    assert scanned.startswith(picture[: picture.index(b"/9j/") + 10])
    assert scanned.endswith(b"';")
    assert form(confirmed) == form(redirect.rstrip(b"\n"))


@pytest.mark.parametrize(
    ("name", "headers"),
    [("jslogin", "008.txt"), ("login", "007.txt"), ("synccheck", "002.txt"), ("webwxuploadmedia", "006.txt")],
)
def test_an_answer_is_as_long_as_that_of_the_live_service(
    bodies: dict[str, list[bytes]], name: str, headers: str
) -> None:
    length = re.search("Content-Length: ([0-9]+)", (CORPUS / "http-headers" / headers).read_text("utf-8"))
    assert length is not None
    assert int(length[1]) in {len(body) for body in bodies[name]}


# -- flags -----------------------------------------------------------------------------------------------------------

FLAGS = ("ContactFlag", "SnsFlag", "VerifyFlag", "Statues")


def contacts(answers: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, int]]]:
    """List the contacts in answers: the kind and the flags of each."""
    for answer in answers:
        for contact in (
            each for key in ("ContactList", "MemberList", "ModContactList") for each in answer.get(key, ())
        ):
            name = str(contact["UserName"])
            kind = "room" if name.startswith("@@") else "person" if name.startswith("@") else "built in"
            if contact["VerifyFlag"]:
                kind = f"{kind}, public"
            yield kind, {flag: contact[flag] for flag in FLAGS if flag in contact}


def test_the_flags_of_contacts_have_recorded_values(bodies: dict[str, list[bytes]]) -> None:
    folders = ("webwxinit", "webwxgetcontact", "webwxbatchgetcontact", "webwxsync")
    recorded = {
        (kind, *flag) for folder in folders for kind, flags in contacts(recordings(folder)) for flag in flags.items()
    }
    for name in folders:
        for kind, flags in contacts(map(json.loads, bodies[name])):
            assert {(kind, *flag) for flag in flags.items()} <= recorded


def test_addresses_of_pictures_end_in_the_skey_as_on_the_live_service(bodies: dict[str, list[bytes]]) -> None:
    for name in ("webwxinit", "webwxgetcontact", "webwxbatchgetcontact", "webwxsync"):
        ends = [
            {
                str(contact["HeadImgUrl"]).partition("skey=")[2] != ""
                for answer in answers
                for key in ("ContactList", "MemberList", "ModContactList")
                for contact in answer.get(key, ())
                if "skey=" in str(contact["HeadImgUrl"])
            }
            for answers in (recordings(name), list(map(json.loads, bodies[name])))
        ]
        assert ends[0] == ends[1]


def test_a_sticker_has_its_size(bodies: dict[str, list[bytes]]) -> None:
    stickers = [
        message
        for body in bodies["webwxsync"]
        for message in json.loads(body)["AddMsgList"]
        if message["MsgType"] == 47
    ]
    assert [(message["ImgHeight"], message["ImgWidth"]) for message in stickers] == [(240, 240), (16, 16)]
