"""
The answers of the reference server, as bytes that are prepared before the requests.

It stores nothing about its clients: a request contains its account and its position.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import time
from html import escape
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.case import World

PAGE = 1_000
"""Contacts in one answer."""

FIRST_UIN = 1_000_000_001
"""The account of the first login."""

MAX_READY = 300_000
"""Number of texts up to which all answers are encoded before the run; larger worlds only fill a journal, untimed."""

MAX_COME = 100
"""Texts in one answer, where they come at a rate."""

BLOCK = random.Random(1).randbytes(256 * 1024)
"""What files are made of."""

PICTURE = b"\xff\xd8\xff\xe0" + BLOCK[:100_000]

_WORDS = tuple(
    "你好 明天 下午 开会 图片 已经 收到 谢谢 请 看 报告 文件 backup finished 项目 的 新版本 在这里".split()  # noqa: SIM905 - reads better
)
_UIN = re.compile(rb'"Uin":\s*"?(\d+)')
_POLLING_UIN = re.compile(rb"&uin=(\d+)")
_POSITION = re.compile(rb'"Key":\s*1,\s*"Val":\s*(\d+)')
_CHECKED = re.compile(rb"synckey=1_(\d+)")
_SEQ = re.compile(rb"seq=(\d+)")
_UUID = re.compile(rb"uuid=bench-(\d+)")
_LOCAL_ID = re.compile(rb'"LocalID":\s*"?(\d+)')
_NAME = re.compile(rb'"UserName":\s*"([^"]+)"')
_OK = {"Ret": 0, "ErrMsg": ""}


class Hold(NamedTuple):
    """A poll that is not answered yet."""

    answer: bytes
    """What it is answered when the time is over."""
    seconds: float


class Stream(NamedTuple):
    """An answer that is too long to be prepared as a whole."""

    head: bytes
    size: int


def http(body: bytes, *headers: str, kind: str = "text/plain") -> bytes:
    """Return a complete response."""
    return head(len(body), *headers, kind=kind) + body


def head(size: int, *headers: str, kind: str = "text/plain") -> bytes:
    """Return the head of a response."""
    more = "".join(f"{each}\r\n" for each in headers)
    return (
        f"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{more}\r\n"
    ).encode()


def of_json(value: object) -> bytes:
    """Return a complete JSON response."""
    return http(json.dumps(value, ensure_ascii=False).encode())


def content_of(size: int) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks."""
    while size > 0:
        yield BLOCK[:size]
        size -= len(BLOCK)


class _Keys:
    """A login's keys, as long and as odd as the platform's: a client looks for them in whatever it keeps."""

    def __init__(self, uin: int) -> None:
        rng = random.Random(uin)
        self.skey = f"@crypt_{rng.randbytes(4).hex()}_{rng.randbytes(16).hex()}"
        self.sid = base64.b64encode(rng.randbytes(12)).decode()
        self.pass_ticket = quote(base64.b64encode(rng.randbytes(48)).decode(), safe="")


class ResponseParser:
    """The answer to each request in one world."""

    def __init__(self, world: World, origin: str) -> None:
        self._world = world
        self._origin = origin
        self._first = int(time.time()) * 10_000
        """Where positions begin. It grows from server to server, so that a journal of earlier ones goes on well."""
        self._rng = random.Random(self._first)
        self._logins = self._sent = 0
        self._released_at: float | None = None
        """When what waits could first be fetched."""
        self.pollers: set[int] = set()
        """The accounts that have polled."""
        names = random.Random(2)
        self._friends = [f"@{names.randbytes(32).hex()}" for _ in range(world.friends)]
        self._chatrooms = {f"@@{names.randbytes(32).hex()}": number for number in range(world.chatrooms)}
        self._pages = [of_json(page) for page in self._contact_pages()]
        self._rooms = {
            name.encode(): json.dumps(self._chatroom(name, number, world.members), ensure_ascii=False).encode()
            for name, number in self._chatrooms.items()
        }
        waiting = world.texts + world.pictures + world.files
        self._batches = -(-waiting // (world.shares if world.rate else world.batch))
        """Positions: of batches, or of an account's texts that come one by one."""
        is_many = world.rate or waiting > MAX_READY
        self._ready = {} if is_many else {number: self.batch(number) for number in range(self._batches)}
        self._nothing = http(b'window.synccheck={retcode:"0",selector:"0"}')
        self._something = http(b'window.synccheck={retcode:"0",selector:"2"}')
        self.plain = of_json({"BaseResponse": _OK})
        self._uploaded = of_json({"BaseResponse": _OK, "MediaId": "@crypt_bench", "StartPos": 0, "EncryFileName": "f"})
        self._announced = of_json(
            {"BaseResponse": _OK, "MediaId": "", "AESKey": "0" * 32, "Signature": "s" * 64, "EncryFileName": "f"}
        )
        self._picture = http(PICTURE, kind="image/jpeg")
        self._file = Stream(head(world.file_size, kind="application/octet-stream"), world.file_size)
        self.by_name: dict[bytes, Callable[[bytes, bytes], bytes | Hold | Stream]] = {
            b"jslogin": self._code, b"login": self._poll, b"webwxnewloginpage": self._ticket, b"webwxinit": self._init,
            b"webwxgetcontact": self._page, b"webwxbatchgetcontact": self._details,
            b"synccheck": lambda query, _b: self.poll(query),
            b"webwxsync": self._fetch, b"webwxsendmsg": self._send, b"webwxsendappmsg": self._send,
            b"webwxsendmsgimg": self._send, b"webwxuploadmedia": lambda _q, _b: self._uploaded,
            b"webwxcheckupload": lambda _q, _b: self._announced, b"webwxgetmsgimg": lambda _q, _b: self._picture,
            b"webwxgetmedia": lambda _q, _b: self._file,
        }  # fmt: skip
        """By the last part of the path; anything else is answered `plain`."""

    # -- login -------------------------------------------------------------------------------------------------------

    def _code(self, query: bytes, body: bytes) -> bytes:
        del query, body
        self._logins += 1
        return http(f'window.QRLogin.code = 200; window.QRLogin.uuid = "bench-{self._logins:08d}";'.encode())

    def _poll(self, query: bytes, body: bytes) -> bytes:
        del body
        ticket = f"ticket=T&uuid=bench-{_number(_UUID, query):08d}&lang=zh_CN&scan=1"
        page = f"{self._origin}/cgi-bin/mmwebwx-bin/webwxnewloginpage?{ticket}"
        return http(f'window.code=200;\nwindow.redirect_uri="{page}";'.encode())

    def _ticket(self, query: bytes, body: bytes) -> bytes:
        del body
        uin = FIRST_UIN - 1 + _number(_UUID, query)
        keys = _Keys(uin)
        values = {"wxuin": uin, "wxsid": keys.sid, "webwx_data_ticket": "data", "webwx_auth_ticket": "auth"}
        cookies = [f"Set-Cookie: {name}={value}; Path=/; Secure" for name, value in values.items()]
        return http(
            f"<error><ret>0</ret><message></message><skey>{keys.skey}</skey><wxsid>{keys.sid}</wxsid>"
            f"<wxuin>{uin}</wxuin><pass_ticket>{keys.pass_ticket}</pass_ticket><isgrayscale>1</isgrayscale></error>".encode(),
            *cookies,
        )

    def _init(self, query: bytes, body: bytes) -> bytes:
        del query
        uin = _number(_UIN, body)
        own = {"Uin": uin, "UserName": own_id(uin), "NickName": f"Bench {uin}", "HeadImgUrl": "", "Sex": 1}
        return of_json({
            "BaseResponse": _OK, "Count": 0, "ContactList": [], "SyncKey": self._key(0), "User": own,
            "ChatSet": "filehelper,", "SKey": _Keys(uin).skey, "ClientVersion": 1, "SystemTime": int(time.time()),
            "GrayScale": 1, "InviteStartCount": 40, "MPSubscribeMsgCount": 0, "MPSubscribeMsgList": [],
            "ClickReportInterval": 600000,
        })  # fmt: skip

    # -- contacts ----------------------------------------------------------------------------------------------------

    def _contact_pages(self) -> Iterator[dict[str, object]]:
        everybody = [self._friend(name, number) for number, name in enumerate(self._friends)]
        everybody += [self._chatroom(name, number, 0) for name, number in self._chatrooms.items()]
        for start in range(0, max(1, len(everybody)), PAGE):
            page = everybody[start : start + PAGE]
            seq = start + PAGE if start + PAGE < len(everybody) else 0
            yield {"BaseResponse": _OK, "MemberCount": len(page), "MemberList": page, "Seq": seq}

    def _page(self, query: bytes, body: bytes) -> bytes:
        del body
        return self._pages[_number(_SEQ, query) // PAGE]

    def _details(self, query: bytes, body: bytes) -> bytes:
        del query
        found = [self._rooms[name] for name in _NAME.findall(body) if name in self._rooms]
        return http(
            b'{"BaseResponse":{"Ret":0,"ErrMsg":""},"Count":%d,"ContactList":[%b]}' % (len(found), b",".join(found))
        )

    def _friend(self, name: str, number: int) -> dict[str, object]:
        return {
            "Uin": 0, "UserName": name, "NickName": f"朋友{number}",
            "HeadImgUrl": f"/cgi-bin/mmwebwx-bin/webwxgeticon?seq={700000000 + number}&username={name}&skey=",
            "ContactFlag": 3, "MemberCount": 0, "MemberList": [],
            "RemarkName": f"Remark {number}" if number % 3 == 0 else "", "HideInputBarFlag": 0,
            "Sex": 1 + number % 2, "Signature": "日拱一卒，功不唐捐" if number % 2 else "",
            "VerifyFlag": 0, "OwnerUin": 0, "PYInitial": f"PY{number}", "PYQuanPin": f"pengyou{number}",
            "RemarkPYInitial": "", "RemarkPYQuanPin": "", "StarFriend": 0, "AppAccountFlag": 0, "Statues": 0,
            "AttrStatus": 102437, "Province": "广东", "City": "深圳", "Alias": "", "SnsFlag": 17, "UniFriend": 0,
            "DisplayName": "", "ChatRoomId": 0, "KeyWord": "", "EncryChatRoomId": "", "IsOwner": 0,
        }  # fmt: skip

    def _chatroom(self, name: str, number: int, members: int) -> dict[str, object]:
        people = [
            {
                "Uin": 0, "UserName": f"@{number:032x}{each:032x}", "NickName": f"成员{each}", "AttrStatus": 102437,
                "PYInitial": "", "PYQuanPin": "", "RemarkPYInitial": "", "RemarkPYQuanPin": "", "MemberStatus": 0,
                "DisplayName": f"群名{each}" if each % 4 == 0 else "", "KeyWord": "che",
            }
            for each in range(members)
        ]  # fmt: skip
        about: dict[str, object] = {
            "UserName": name, "NickName": f"群{number}", "Sex": 0, "MemberCount": members, "MemberList": people,
            "EncryChatRoomId": f"@{number:064x}", "Statues": 1, "HeadImgUrl": f"{name}.jpg",
        }  # fmt: skip
        return self._friend(name, number) | about

    # -- messages ----------------------------------------------------------------------------------------------------

    def _key(self, position: int) -> dict[str, object]:
        values = {1: self._first + position, 2: 700000002, 3: 700000003, 1000: 1700000000}
        return {"Count": len(values), "List": [{"Key": key, "Val": val} for key, val in values.items()]}

    def poll(self, query: bytes) -> bytes | Hold:
        """Return the answer to a poll for news."""
        position, world = max(0, _number(_CHECKED, query) - self._first), self._world
        uin = _number(_POLLING_UIN, query)
        self.pollers.add(uin)
        share = self._share_of(uin)
        if position < self._there(share):
            return self._something
        number = self._number_of(position, share)
        if world.rate and number < world.texts and self._released_at is not None:
            due = self._released_at + (number + 1) / world.rate
            return Hold(self._something, max(0.0, due - time.monotonic()))
        return Hold(self._nothing, world.hold)

    def release(self) -> bool:
        """Release the waiting batches; return whether that changes the answers to the held polls."""
        if self._released_at is not None or not self._batches:
            return False
        self._released_at = time.monotonic()
        return True

    def _share_of(self, uin: int) -> int:
        return (uin - FIRST_UIN) % self._world.shares

    def _number_of(self, position: int, share: int) -> int:
        """Return the number of a text that comes at a rate, among the texts of all shares."""
        return position * self._world.shares + share

    def _there(self, share: int) -> int:
        """Return the number of batches, or of texts that come, that an account can fetch now."""
        if self._released_at is None:
            return 0
        world = self._world
        if not world.rate:
            return self._batches
        come = min(world.texts, int((time.monotonic() - self._released_at) * world.rate))
        return max(0, -(-(come - share) // world.shares))

    def _fetch(self, query: bytes, body: bytes) -> bytes:
        del query
        position, share = max(0, _number(_POSITION, body) - self._first), self._share_of(_number(_UIN, body))
        there = self._there(share)
        if position >= there:
            return self._batch_of([], position)
        if self._world.rate:  # all that has come since is one batch, as on the platform
            there = min(there, position + MAX_COME)
            return self._batch_of([self._text(self._number_of(each, share)) for each in range(position, there)], there)
        return self._ready.get(position) or self.batch(position)

    def batch(self, number: int) -> bytes:
        """Return the response of a batch, released or not."""
        world, begin = self._world, number * self._world.batch
        waiting = world.texts + world.pictures
        items = []
        for each in range(begin, min(begin + world.batch, waiting)):
            # Pictures stand evenly among the texts.
            is_picture = each * world.pictures // waiting != (each + 1) * world.pictures // waiting
            items.append(
                self._message(each, 3, "&lt;msg&gt;&lt;img /&gt;&lt;/msg&gt;") if is_picture else self._text(each)
            )
        is_last = begin + world.batch >= waiting
        return self._batch_of(items + ([self._file_message(waiting)] * world.files if is_last else []), number + 1)

    def _batch_of(self, items: list[dict[str, object]], position: int) -> bytes:
        key = self._key(position)
        return of_json({
            "BaseResponse": _OK, "AddMsgCount": len(items), "AddMsgList": items, "ModContactCount": 0,
            "ModContactList": [], "DelContactCount": 0, "DelContactList": [], "ModChatRoomMemberCount": 0,
            "ModChatRoomMemberList": [], "Profile": {"BitFlag": 0, "UserName": {"Buff": ""}}, "ContinueFlag": 0,
            "SyncKey": key, "SKey": "", "SyncCheckKey": key,
        })  # fmt: skip

    def _text(self, number: int) -> dict[str, object]:
        return self._message(number, 1, "".join(self._rng.choices(_WORDS, k=self._rng.randint(3, 12))))

    def _file_message(self, number: int) -> dict[str, object]:
        size, digest = self._world.file_size, hashlib.md5(usedforsecurity=False)
        for block in content_of(size):
            digest.update(block)
        content = (
            '<msg><appmsg appid="" sdkver="0"><title>report.bin</title><type>6</type><appattach>'
            f"<totallen>{size}</totallen><attachid>@cdn</attachid><fileext>bin</fileext></appattach>"
            f"<md5>{digest.hexdigest()}</md5></appmsg></msg>"
        )
        message = self._message(number, 49, escape(content, quote=False))
        return message | {
            "AppMsgType": 6, "FileName": "report.bin", "FileSize": str(size), "MediaId": "@crypt_bench",
            "EncryFileName": "report%2Ebin",
        }  # fmt: skip

    def _message(self, number: int, kind: int, content: str) -> dict[str, object]:
        rng = self._rng
        # 10^18 and more: nineteen digits, as the platform's have.
        message_id = (
            10**18 + self._first * 10**4 + number if self._world.is_ascending else rng.randrange(10**18, 9 * 10**18)
        )
        return {
            "MsgId": str(message_id), "FromUserName": rng.choice(self._friends), "ToUserName": own_id(FIRST_UIN),
            "MsgType": kind, "Content": content, "Status": 3, "ImgStatus": 1, "CreateTime": int(time.time()),
            "VoiceLength": 0, "PlayLength": 0, "FileName": "", "FileSize": "", "MediaId": "", "Url": "",
            "AppMsgType": 0, "StatusNotifyCode": 0, "StatusNotifyUserName": "",
            "RecommendInfo": {
                "UserName": "", "NickName": "", "QQNum": 0, "Province": "", "City": "", "Content": "", "Signature": "",
                "Alias": "", "Scene": 0, "VerifyFlag": 0, "AttrStatus": 0, "Sex": 0, "Ticket": "", "OpCode": 0,
            },
            "ForwardFlag": 0, "AppInfo": {"AppID": "", "Type": 0}, "HasProductId": 0, "Ticket": "", "ImgHeight": 0,
            "ImgWidth": 0, "SubMsgType": 0, "NewMsgId": message_id, "OriContent": "", "EncryFileName": "",
        }  # fmt: skip

    def _send(self, query: bytes, body: bytes) -> bytes:
        del query
        self._sent += 1
        found = _LOCAL_ID.search(body)
        return http(
            b'{"BaseResponse":{"Ret":0,"ErrMsg":""},"MsgID":"%d","LocalID":"%b"}'
            % (7 * 10**18 + self._sent, found[1] if found else b"")
        )


def own_id(uin: int) -> str:
    """Return the id of an account."""
    return f"@{uin:064x}"


def _number(pattern: re.Pattern[bytes], text: bytes) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0
