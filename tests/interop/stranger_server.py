"""
A server of the protocol that is independent of ours.

It was written from a description of the protocol, with the standard library only and without reading our client. It
runs in its own process under `python -I -S`, where `webwx` cannot be imported. So it does not share mistakes that our
client and our sandbox have in common.

Where the protocol allows several forms, it uses those that our sandbox does not use: compact JSON, numbers as strings,
null for empty lists, cookies bound to `wx2.qq.com`, a redirect to that real host, contacts in two pages, a
`SyncCheckKey` ahead of `SyncKey`, batches of two with `ContinueFlag`, `MsgList` beside `AddMsgList`, own messages that
are delivered back and may arrive before the answer, a key that rotates inside a sync, gzip, CRLF, blanks in scripts,
and names truncated inside a character. It requires the three cookies, as the production server does.

It has one account, 小明, with a friend 阿华 (remark Boss) and a group. A login needs no phone: the poll answers 408,
201, 200. Paths that begin with `/_` are for the test: the log of requests, their effects, and actions of the friend.
"""

import base64
import collections.abc
import gzip
import hashlib
import http.server
import json
import re
import secrets
import threading
import time
import urllib.parse

API = "/cgi-bin/mmwebwx-bin/"
HOLD_SCAN = 0.2
HOLD_SYNC = 25.0
BATCH = 2
LARGE = 1000
FIRST_KEY = 700000000
# Ends in an escaped "=" and has an escaped "+": the log shows a client that decodes it or does not encode it again.
PASS_TICKET = "k3Yq%2BZ0stranger%2FticketExample%3D"  # The XML text.

Json = dict[str, object]


class Session:
    """One login: its keys, the ids of its contacts, and the changes that wait to be fetched."""

    def __init__(self) -> None:
        self.uin = "2100000077"
        self.sid = "St/" + secrets.token_hex(5) + "+x="
        self.keys = [new_key()]
        self.data_ticket = "gS" + secrets.token_hex(9) + "/+=="
        self.me = "@" + secrets.token_hex(32)
        self.boss = "@" + secrets.token_hex(16)
        self.old_wang = "@" + secrets.token_hex(16)
        self.group = "@@" + secrets.token_hex(32)
        self.member = "@" + secrets.token_hex(16)
        self.waiting: list[tuple[str, object]] = []
        self.quiet_changes = 0
        self.troubles: list[str] = []
        self.ended_by = 0


class World:
    """All state of the server; `changed` guards it and wakes held polls."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.requests: list[Json] = []
        self.polls: dict[str, int] = {}
        self.session: Session | None = None
        self.next_id = 7300000000000000101
        self.unread: dict[str, int] = {}
        self.messages: dict[str, Json] = {}
        self.pictures: list[Json] = []
        self.uploads: dict[str, bytearray] = {}
        self.media: dict[str, bytes] = {}

    def message_id(self) -> str:
        self.next_id += 7
        return str(self.next_id)

    def deliver(self, lists: str, **fields: object) -> None:
        """Add a message to the named list or lists of the next sync."""
        assert self.session is not None
        self.session.waiting.append((lists, message(self, **fields)))
        self.changed.notify_all()

    def store_picture(self, data: bytes) -> Json:
        picture: Json = {
            "aeskey": secrets.token_hex(16),
            "url": "3057020100" + secrets.token_hex(20),
            "md5": hashlib.md5(data).hexdigest(),
            "data": data,
        }
        self.pictures.append(picture)
        return picture

    def picture_named_in(self, content: str) -> Json | None:
        attributes = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', content))
        for picture in self.pictures:
            by_key = (attributes.get("aeskey"), attributes.get("cdnmidimgurl") or attributes.get("cdnthumburl"))
            if by_key == (picture["aeskey"], picture["url"]) or attributes.get("md5") == picture["md5"]:
                return picture
        return None


def new_key() -> str:
    return f"@crypt_{secrets.token_hex(3)}_{secrets.token_hex(16)}"


def as_delivered(text: str) -> str:
    """Escape a text once, as the web server does: real tags only for line breaks and for emoji beyond the BMP."""
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(plain, escaped)
    text = text.replace("\n", "<br/>")
    return "".join(f'<span class="emoji emoji{ord(c):x}"></span>' if ord(c) > 0xFFFF else c for c in text)


def picture_xml(picture: Json) -> str:
    """
    Return the complete content of a picture as a newer phone writes it: more attributes and elements, in another order.
    """
    key, url = picture["aeskey"], picture["url"]
    return (
        '<?xml version="1.0"?>\n<msg>\n'
        f'\t<img hevc_mid_size="5432" aeskey="{key}" encryver="1" cdnthumbaeskey="{key}" cdnthumburl="{url}"'
        f' cdnthumblength="4321" cdnthumbheight="120" cdnthumbwidth="90" cdnmidheight="0" cdnmidwidth="0"'
        f' cdnhdheight="0" cdnhdwidth="0" cdnmidimgurl="{url}" length="{len(bytes_of(picture))}" md5="{picture["md5"]}"'
        f' originsourcemd5="" />\n\t<platform_signature />\n\t<imgdatahash></imgdatahash>\n</msg>\n'
    )


def bytes_of(picture: Json) -> bytes:
    data = picture["data"]
    assert isinstance(data, bytes)
    return data


def message(world: World, **fields: object) -> Json:
    """Return a message with every field that the protocol lists, and three that it does not list."""
    identity = fields.pop("id", None) or world.message_id()
    empty: Json = {
        "MsgId": identity, "FromUserName": "", "ToUserName": "", "MsgType": 1, "Content": "", "Status": "3",
        "ImgStatus": "1", "CreateTime": int(time.time()), "VoiceLength": "", "PlayLength": None, "FileName": "",
        "FileSize": 0, "MediaId": "", "Url": "", "AppMsgType": "0", "StatusNotifyCode": 0, "StatusNotifyUserName": "",
        "RecommendInfo": {}, "ForwardFlag": 0, "AppInfo": {"AppID": "", "Type": 0}, "HasProductId": 0, "Ticket": "",
        "ImgHeight": 0, "ImgWidth": 0, "SubMsgType": 0, "NewMsgId": int(str(identity)), "OriContent": "",
        "EncryFileName": "", "StrangerSeq": [1, {"deep": None}], "Risk": False, "ExtInfo": "",
    }  # fmt: skip
    return empty | fields


def contact(name: str, nickname: str, **fields: object) -> Json:
    plain: Json = {
        "Uin": 0, "UserName": name, "NickName": nickname, "HeadImgUrl": f"{API}webwxgeticon?username={name}&skey=",
        "ContactFlag": "3", "MemberCount": "", "MemberList": None, "RemarkName": "", "HideInputBarFlag": 0, "Sex": "1",
        "Signature": "", "VerifyFlag": "0", "OwnerUin": 0, "PYInitial": "", "PYQuanPin": "", "StarFriend": 0,
        "AppAccountFlag": 0, "Statues": 0, "AttrStatus": 4294967295, "Province": "广东", "City": "", "Alias": "",
        "SnsFlag": 17, "UniFriend": 0, "DisplayName": "", "ChatRoomId": "", "KeyWord": "", "EncryChatRoomId": "0",
        "IsOwner": 0, "Fresh": {"since": 2026},
    }  # fmt: skip
    return plain | fields


def group_of(session: Session) -> Json:
    people = [
        {"UserName": session.me, "NickName": "小明", "DisplayName": "", "MemberStatus": 0},
        {"UserName": session.member, "NickName": "老李", "DisplayName": "李工", "MemberStatus": "0"},
    ]
    return contact(
        session.group,
        "示例群",
        MemberCount=2,
        MemberList=people,
        Sex=0,
        Statues=1,
        EncryChatRoomId="@0f1e",
        ContactFlag=2,
    )


def recall_notice(gone: str, text: str, *, by_new_id: bool) -> str:
    """Return a 10002 content; with `by_new_id` the real id is in `newmsgid`, and `msgid` has an unrelated number."""
    ids = f"<msgid>1096500009</msgid><newmsgid>{gone}</newmsgid>" if by_new_id else f"<msgid>{gone}</msgid>"
    return as_delivered(
        f'<sysmsg type="revokemsg">\n\t<revokemsg>\n\t\t<session>wxid_ahua</session>\n\t\t<oldmsgid>10965001</oldmsgid>'
        f"\n\t\t{ids}\n\t\t<replacemsg><![CDATA[{text}]]></replacemsg>\n\t</revokemsg>\n</sysmsg>"
    )


class Refusal(Exception):
    """An answer with a code and otherwise empty fields."""

    def __init__(self, ret: int, **emptied: object) -> None:
        super().__init__(ret)
        self.ret = ret
        self.emptied = emptied


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Stranger/0.9"
    world: World

    def log_message(self, *_: object) -> None:  # stdout and stderr belong to the test.
        pass

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.read_body())

    # -- requests --

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, body: bytes) -> None:
        address = urllib.parse.urlsplit(self.path)
        # "+" is a plus here: only %xx is decoded.
        self.query = {
            urllib.parse.unquote(name).lower(): urllib.parse.unquote(value)
            for name, _, value in (pair.partition("=") for pair in address.query.split("&") if pair)
        }
        self.body = body
        if not address.path.startswith("/_"):
            with self.world.changed:
                self.world.requests.append({
                    "method": self.command,
                    "path": address.path,
                    "query": address.query,
                    "headers": [[name, value] for name, value in self.headers.items()],
                    "body": base64.b64encode(body).decode(),
                })  # fmt: skip
        if address.path.startswith("/qrcode/") or address.path.startswith("/l/"):
            self.reply(b"\xff\xd8\xff\xe0stranger", "image/jpeg")
            return
        route = ROUTES.get(address.path)
        if route is None:
            self.reply(b"no such page\r\n", "text/html", status=404)
            return
        try:
            route(self)
        except Refusal as refusal:
            self.reply_json(BaseResponse={"Ret": refusal.ret, "ErrMsg": "", "Hint": None}, **refusal.emptied)

    def json_body(self) -> Json:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value

    def caller(self, **emptied: object) -> Session:
        """Return the session of this request, or refuse it: all three cookies are needed, as on the platform."""
        cookies = dict(
            pair.strip().partition("=")[::2] for pair in self.headers.get("Cookie", "").split(";") if pair.strip()
        )
        session = self.world.session
        if session is None or cookies.get("wxsid") != session.sid:
            raise Refusal(1101, **emptied)
        if session.ended_by:
            raise Refusal(session.ended_by, **emptied)
        if cookies.get("wxuin") != session.uin or cookies.get("webwx_data_ticket") != session.data_ticket:
            raise Refusal(1102, **emptied)
        return session

    # -- answers --

    def reply(
        self,
        body: bytes,
        kind: str = "text/plain",
        *,
        status: int = 200,
        headers: collections.abc.Iterable[tuple[str, str]] = (),
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers:
            self.send_header(name, value)
        if len(body) > LARGE and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def reply_json(self, **fields: object) -> None:
        text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
        # A name truncated inside a character, and a control character without an escape.
        body = text.encode("utf-8", "surrogateescape").replace(b"\\u0001", b"\x01")
        self.reply(body + b"\r\n")

    def script(self, text: str) -> None:
        self.reply(text.encode(), "text/javascript")

    # -- logging in --

    def jslogin(self) -> None:
        uuid = "St" + secrets.token_hex(4) + "=="
        with self.world.changed:
            self.world.polls[uuid] = 0
        self.script(f'window.QRLogin.code = 200;\r\nwindow.QRLogin.uuid = "{uuid}";\r\n')

    def poll(self) -> None:
        uuid = self.query.get("uuid", "")
        with self.world.changed:
            if uuid in self.world.polls:
                self.world.polls[uuid] += 1
            turn = self.world.polls.get(uuid, 0)
        match turn:
            case 0:
                self.script("window.code = 400;")
            case 1:
                with self.world.changed:
                    self.world.changed.wait(HOLD_SCAN)
                self.script("window.code = 408 ;\r\n")
            case 2:
                self.script("window.code = 201;\r\nwindow.userAvatar = 'data:img/jpg;base64,/9j/4AAQ';\r\n")
            case _:
                page = f"https://wx2.qq.com{API}webwxnewloginpage"
                where = f"{page}?ticket=AStranger+Ticket@qrticket_0&uuid={uuid}&lang=zh_CN&scan=1"
                self.script(f'window.code = 200;\r\nwindow.redirect_uri = "{where}";\r\n')

    def claim(self) -> None:
        with self.world.changed:
            if self.world.polls.pop(self.query.get("uuid", ""), 0) < 3:
                self.reply(b"<error><ret>1</ret><message>ticket</message></error>")
                return
            session = self.world.session = Session()
        year = "Expires=Fri, 01-Jan-2038 00:00:00 GMT"
        cookies = [
            f"wxuin={session.uin}; Domain=wx2.qq.com; Path=/; {year}",
            f"wxsid={session.sid}; domain=wx2.qq.com; path=/; {year}; HttpOnly",
            f"wxloadtime={int(time.time())}; Domain=wx2.qq.com; Path=/; {year}",
            f"mm_lang=zh_CN; Domain=wx2.qq.com; Path=/; {year}",
            f"webwx_data_ticket={session.data_ticket}; Domain=.qq.com; Path=/; {year}",
            f"webwxuvid={secrets.token_hex(32)}; Domain=wx2.qq.com; Path=/; {year}",
            f"webwx_auth_ticket=CIsB{secrets.token_hex(16)}; Domain=wx2.qq.com; Path=/; {year}",
        ]
        xml = (
            f"<error>\r\n  <message>OK</message>\r\n  <ret>0</ret>\r\n  <wxuin>{session.uin}</wxuin>\r\n"
            f"  <wxsid>{session.sid}</wxsid>\r\n  <pass_ticket>{PASS_TICKET}</pass_ticket>\r\n"
            f"  <skey>{session.keys[0]}</skey>\r\n  <isgrayscale>1</isgrayscale>\r\n  <new>of</new>\r\n</error>\r\n"
        )
        self.reply(xml.encode(), status=301, headers=[("Set-Cookie", cookie) for cookie in cookies])

    def push_login(self) -> None:
        self.reply_json(ret=1, msg="not today", uuid="")

    def logout(self) -> None:
        with self.world.changed:
            if self.world.session is not None:
                self.world.session.ended_by = 1100
            self.world.changed.notify_all()
        gone = "Thu, 01-Jan-1970 00:00:00 GMT"
        self.reply(
            b"",
            "text/html",
            status=301,
            headers=[
                ("Location", "https://wx2.qq.com/"),
                ("Set-Cookie", f"wxsid=; Domain=wx2.qq.com; Path=/; Expires={gone}"),
                ("Set-Cookie", f"wxuin=; Domain=wx2.qq.com; Path=/; Expires={gone}"),
            ],
        )

    # -- the account --

    def init(self) -> None:
        session = self.caller(Count=0, ContactList=[], SyncKey={"Count": 0, "List": []}, User={}, SKey="")
        with self.world.changed:
            if len(session.keys) == 1:
                session.keys.append(new_key())
        recent = [contact("filehelper", "文件传输助手", Sex=0), group_of(session) | {"MemberList": []}]
        me = {"Uin": session.uin, "UserName": session.me, "NickName": as_delivered("小明😄"), "Sex": "1", "SnsFlag": 17}
        self.reply_json(
            BaseResponse={"Ret": 0, "ErrMsg": "Everything is OK"},
            Count="2",
            ContactList=recent,
            SyncKey=sync_key(0),
            User=me,
            ChatSet=f"filehelper,{session.group},{session.boss},weixin,",
            SKey=session.keys[1],
            ClientVersion="654311968",
            SystemTime=int(time.time()),
            GrayScale=1,
            InviteStartCount=40,
            MPSubscribeMsgCount=0,
            MPSubscribeMsgList=None,
            ClickReportInterval=600000,
        )

    def contacts(self) -> None:
        session = self.caller(MemberCount=0, MemberList=[], Seq=0)
        if self.query.get("seq", "0") == "0":
            page, following = [
                contact(session.boss, "阿华", RemarkName="Boss", PYInitial="AH"),
                contact("filehelper", "文件传输助手", Sex=0),
            ], "90210"  # fmt: skip
        else:
            page, following = [
                contact(session.old_wang, "老王", Signature="sig\x01nature"),
                contact("@" + "c" * 32, "断名" + b"\xe5\x8d".decode("utf-8", "surrogateescape")),
                contact("@" + "d" * 32, as_delivered("Tom & Jerry😄"), RemarkName=""),
                contact("@" + "e" * 32, "示例公众号", VerifyFlag="24"),
            ], "0"  # fmt: skip
        self.reply_json(
            BaseResponse={"Ret": 0, "ErrMsg": ""},
            MemberCount=str(len(page)),
            MemberList=page,
            Seq=following,
        )

    def batch_contacts(self) -> None:
        session = self.caller(Count=0, ContactList=[])
        known = {session.group: group_of(session), session.boss: contact(session.boss, "阿华", RemarkName="Boss")}
        wanted = self.json_body().get("List")
        assert isinstance(wanted, list)
        found = [known[entry["UserName"]] for entry in wanted if entry["UserName"] in known]
        self.reply_json(BaseResponse={"Ret": 0, "ErrMsg": ""}, Count=len(found), ContactList=found)

    def status_notify(self) -> None:
        session = self.caller(MsgID="")
        request = self.json_body()
        with self.world.changed:
            if request["Code"] == 1:
                self.world.unread[self.name_of(session, request["ToUserName"])] = 0
            else:
                list_of_chats = f"filehelper,{session.group},{session.boss}"
                self.world.deliver(
                    "AddMsgList",
                    MsgType=51,
                    FromUserName=session.me,
                    ToUserName=session.me,
                    StatusNotifyCode="4",
                    StatusNotifyUserName=list_of_chats,
                )
            session.quiet_changes += 1
            self.world.changed.notify_all()
            self.reply_json(BaseResponse={"Ret": 0, "ErrMsg": ""}, MsgID=self.world.message_id())

    # -- sync --

    def sync_check(self) -> None:
        try:
            code, selector = 0, self.wait_for_news(self.caller())
        except Refusal as refusal:
            code, selector = refusal.ret, 0
        self.script(f'window.synccheck = {{ retcode : "{code}" , selector : "{selector}" }}\r\n')

    def wait_for_news(self, session: Session) -> int:
        presented = dict(pair.partition("_")[::2] for pair in self.query.get("synckey", "").split("|"))
        fetched, quiet = int(presented.get("2", 0)) - FIRST_KEY, int(presented.get("13", 0))

        def selector() -> int:
            return 2 if fetched < len(session.waiting) else 7 if quiet < session.quiet_changes else 0

        with self.world.changed:
            self.world.changed.wait_for(lambda: session.ended_by or selector(), HOLD_SYNC)
            if session.ended_by:
                raise Refusal(session.ended_by)
            return selector()

    def sync(self) -> None:
        empty: Json = {"AddMsgCount": 0, "AddMsgList": [], "ModContactList": [], "SyncKey": {"Count": 0, "List": []}}
        session = self.caller(**empty)
        asked = self.json_body()["SyncKey"]
        assert isinstance(asked, dict)
        trouble = session.troubles.pop(0) if session.troubles else ""
        match trouble:
            case "busy":
                self.reply(b"<html><head></head><body>Busy</body></html>", "text/html")
                return
            case "gateway":
                self.reply(b"Bad Gateway\r\n", "text/html", status=502)
                return
            case "hung up":
                self.close_connection = True
                return
        with self.world.changed:
            total = len(session.waiting)
            start = min(next(item["Val"] for item in asked["List"] if item["Key"] == 2) - FIRST_KEY, total)
            batch = session.waiting[start : start + BATCH]
            end = start + len(batch)
            lists: dict[str, list[object] | None] = {
                name: [item for names, item in batch if name in names.split()] or None
                for name in ("AddMsgList", "MsgList", "ModContactList", "DelContactList")
            }
            rotated = ""
            if any(names == "SKey" for names, _ in batch):
                rotated = new_key()
                session.keys.append(rotated)
            self.reply_json(
                BaseResponse={"Ret": 0, "ErrMsg": ""},
                AddMsgCount=str(len(lists["AddMsgList"] or [])),
                **lists,
                ModChatRoomMemberCount=0,
                ModChatRoomMemberList=None,
                Profile={"BitFlag": 0, "UserName": {"Buff": ""}},
                ContinueFlag=int(end < total),
                SyncKey={"Count": 0, "List": []} if trouble == "keyless" else sync_key(end),
                SKey=rotated,
                SyncCheckKey=None if trouble == "keyless" else sync_key(end, quiet=session.quiet_changes),
                Epoch="later",
            )

    # -- sending --

    def send_text(self) -> None:
        self.accept_send(lambda session, asked: {"type": 1, "text": asked["Content"]})

    def send_picture(self) -> None:
        def picture(session: Session, asked: Json) -> Json | None:
            if asked.get("MediaId"):
                data = self.world.media.get(str(asked["MediaId"]))
                found = None if data is None else self.world.store_picture(data)
            else:
                found = self.world.picture_named_in(str(asked.get("Content", "")))
            return None if found is None else {"type": 3, "picture": found}

        self.accept_send(picture)

    def accept_send(self, read: collections.abc.Callable[[Session, Json], Json | None]) -> None:
        session = self.caller(MsgID="", LocalID="")
        asked = self.json_body()["Msg"]
        assert isinstance(asked, dict)
        to = asked["ToUserName"]
        with self.world.changed:
            if to not in (session.boss, session.group, session.old_wang, "filehelper"):
                raise Refusal(1204, MsgID="", LocalID="")
            what = read(session, asked)
            if what is None:
                raise Refusal(-1, MsgID="", LocalID="")
            identity = self.world.message_id()
            self.world.messages[identity] = what | {
                "id": identity, "by": "me", "to": self.name_of(session, to), "at": time.time(), "recalled": False,
            }  # fmt: skip
            content = what.get("text") or '<msg><img length="6503" hdlength="0" /><commenturl></commenturl></msg>'
            # The own message may be delivered before the answer.
            self.world.deliver(
                "AddMsgList",
                id=identity,
                FromUserName=session.me,
                ToUserName=to,
                MsgType=what["type"],
                Content=as_delivered(str(content)),
            )
        self.reply_json(BaseResponse={"Ret": 0, "ErrMsg": ""}, MsgID=identity, LocalID=str(asked["LocalID"]), Sent=True)

    def recall(self) -> None:
        session = self.caller()
        request = self.json_body()
        with self.world.changed:
            gone = self.world.messages.get(str(request["SvrMsgId"]))
            if gone is None or gone["by"] != "me" or gone["recalled"] or time.time() - float(str(gone["at"])) > 120:
                raise Refusal(-1, Introduction="", SysWording="")
            gone["recalled"] = True
            self.world.deliver(
                "AddMsgList",
                MsgType=10002,
                Status=4,
                FromUserName=request["ToUserName"],
                ToUserName=session.me,
                Content=recall_notice(str(gone["id"]), "你撤回了一条消息", by_new_id=False),
            )
        self.reply_json(BaseResponse={"Ret": 0, "ErrMsg": ""}, Introduction="可以撤回", SysWording="")

    # -- pictures --

    def upload(self) -> None:
        session = self.caller(MediaId="", StartPos=0)
        boundary = re.search(r'boundary="?([^";]+)"?', self.headers["Content-Type"])
        assert boundary is not None
        parts: dict[str, bytes] = {}
        for part in self.body.split(b"--" + boundary[1].encode())[1:-1]:
            head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            name = re.search(rb'name="([^"]*)"', head)
            assert name is not None
            parts[name[1].decode()] = value.removesuffix(b"\r\n")
        if parts.get("webwx_data_ticket", b"").decode() != session.data_ticket:
            raise Refusal(1101, MediaId="", StartPos=0)
        request = json.loads(parts["uploadmediarequest"])
        with self.world.changed:
            received = self.world.uploads.setdefault(
                f"{request['ClientMediaId']}/{request.get('FileMd5')}", bytearray()
            )
            received += parts["filename"]
            complete = len(received) == int(request["TotalLen"])
            media = ""
            if complete:
                media = "@crypt_" + secrets.token_hex(60)
                self.world.media[media] = bytes(received)
            session.quiet_changes += 1
            self.world.changed.notify_all()
            self.reply_json(
                BaseResponse={"Ret": 0, "ErrMsg": ""},
                MediaId=media,
                StartPos=str(len(received)),
                CDNThumbImgHeight="",
                CDNThumbImgWidth=0,
                EncryFileName="stranger%2Ejpg",
            )

    def picture(self) -> None:
        self.caller()
        found = self.world.messages.get(self.query.get("msgid", ""))
        if found is None or found["recalled"] or "picture" not in found:
            self.reply(b"", "text/plain")
            return
        shown = found["picture"]
        assert isinstance(shown, dict)
        self.reply(bytes_of(shown), "image/jpg")

    # -- paths for the test --

    def show_log(self) -> None:
        with self.world.changed:
            self.reply_json(requests=self.world.requests)

    def show_state(self) -> None:
        with self.world.changed:
            messages = []
            for entry in self.world.messages.values():
                shown = {key: value for key, value in entry.items() if key != "picture"}
                picture = entry.get("picture")
                messages.append(shown | ({"md5": picture["md5"]} if isinstance(picture, dict) else {}))
            session = self.the_session()
            self.reply_json(
                unread=self.world.unread,
                messages=messages,
                names={"me": session.me, "boss": session.boss, "group": session.group, "member": session.member},
                uin=session.uin,
                sid=session.sid,
                keys=session.keys,
                data_ticket=session.data_ticket,
                pass_ticket=PASS_TICKET,
                ended=session.ended_by != 0,
            )

    def friend_says(self) -> None:
        session = self.the_session()
        with self.world.changed:
            entry = self.from_friend(session, {"type": 1, "text": self.body.decode()})
            self.world.deliver(
                "AddMsgList",
                id=entry["id"],
                FromUserName=session.boss,
                ToUserName=session.me,
                Content=as_delivered(self.body.decode()),
                CreateTime=str(int(time.time())),
            )
            self.reply_json(id=entry["id"])

    def friend_shows(self) -> None:
        session = self.the_session()
        with self.world.changed:
            picture = self.world.store_picture(self.body)
            entry = self.from_friend(session, {"type": 3, "picture": picture})
            # A recording has an escaped line break after the root element, and a real one after that.
            content = as_delivered(picture_xml(picture).rstrip("\n")) + "&lt;br/&gt;<br/>"
            self.world.deliver(
                "MsgList",
                id=entry["id"],
                MsgType="3",
                FromUserName=session.boss,
                ToUserName=session.me,
                Content=content,
                ImgStatus=2,
                ImgHeight=120,
                ImgWidth=90,
            )
            self.reply_json(id=entry["id"])

    def friend_recalls(self) -> None:
        session = self.the_session()
        with self.world.changed:
            gone = self.world.messages[self.body.decode()]
            gone["recalled"] = True
            self.world.deliver(
                "AddMsgList",
                MsgType=10002,
                Status=4,
                FromUserName=session.boss,
                ToUserName=session.me,
                Content=recall_notice(str(gone["id"]), '"阿华" 撤回了一条消息', by_new_id=gone["type"] == 3),
            )
            self.reply_json(id=gone["id"])

    def deliver_unusual_items(self) -> None:
        """
        Deliver unusual items in six batches; each must arrive once.

        The first fetches fail in different ways; then the first batch arrives without keys, and therefore a second
        time.
        """
        session = self.the_session()
        to_me: Json = {"FromUserName": session.boss, "ToUserName": session.me}
        group: Json = {"FromUserName": session.group, "ToUserName": session.me}
        from_me: Json = {"FromUserName": session.me, "ToUserName": session.group}
        with self.world.changed:
            session.troubles = ["busy", "gateway", "hung up", "keyless"]
            twice = message(self.world, **to_me, Content="in both lists")
            no_type = message(self.world, **to_me, MsgType={"what": 1}, Content="broken")
            number = message(self.world, **to_me, Content="id as a number")
            number["MsgId"], number["NewMsgId"] = int(str(number["MsgId"])), str(number["MsgId"])
            flag = '<span class="emoji emoji1f1e81f1f3"></span>'
            for lists, item in (
                ("AddMsgList MsgList", twice),
                ("AddMsgList", number),
                ("AddMsgList", "not even an object"),
                ("AddMsgList", no_type),
                ("AddMsgList", message(self.world, **to_me, MsgType=9527, Content="of an unknown kind")),
                ("SKey", None),
                ("ModContactList", {"UserName": session.boss, "NickName": "阿华", "RemarkName": "", "Signature": "新"}),
                ("DelContactList", {"UserName": session.old_wang, "ContactFlag": "0"}),
                (
                    "AddMsgList",
                    message(self.world, **group, Content=f"{session.member}:<br/>大家好<br/>a &lt; &amp;lt;"),
                ),
                ("AddMsgList", message(self.world, **from_me, Content="清单:<br/>一")),
                ("AddMsgList", message(self.world, **group, MsgType=10000, Status=4, Content="你修改群名为“示例群”")),
                ("MsgList", message(self.world, **to_me, Content=f"last {flag}")),
            ):
                session.waiting.append((lists, item))
            self.world.changed.notify_all()
            self.reply_json(happened=True)

    def phone_ends_it(self) -> None:
        session = self.the_session()
        with self.world.changed:
            session.ended_by = 1100
            self.world.changed.notify_all()
        self.reply_json(ended=True)

    def the_session(self) -> Session:
        assert self.world.session is not None, "no account is logged in"
        return self.world.session

    def from_friend(self, session: Session, what: Json) -> Json:
        entry = what | {"id": self.world.message_id(), "by": "Boss", "to": "me", "at": time.time(), "recalled": False}
        self.world.messages[str(entry["id"])] = entry
        self.world.unread["Boss"] = self.world.unread.get("Boss", 0) + 1
        return entry

    @staticmethod
    def name_of(session: Session, identity: object) -> str:
        return {session.boss: "Boss", session.group: "group", session.old_wang: "老王"}.get(
            str(identity), str(identity)
        )


def sync_key(fetched: int, quiet: int | None = None) -> Json:
    """
    Return the position after `fetched` entries; the list for `synccheck` counts silent changes under another number.
    """
    items = [{"Key": 1, "Val": 700000001}, {"Key": 2, "Val": FIRST_KEY + fetched}, {"Key": 1000, "Val": 1560000000}]
    if quiet is not None:
        items.insert(2, {"Key": 13, "Val": quiet})
    return {"Count": len(items), "List": items}


ROUTES: dict[str, collections.abc.Callable[[Handler], None]] = {
    "/": lambda handler: handler.reply(b"<html></html>", "text/html"),
    "/jslogin": Handler.jslogin,
    API + "login": Handler.poll,
    API + "webwxnewloginpage": Handler.claim,
    API + "webwxpushloginurl": Handler.push_login,
    API + "webwxlogout": Handler.logout,
    API + "webwxinit": Handler.init,
    API + "webwxgetcontact": Handler.contacts,
    API + "webwxbatchgetcontact": Handler.batch_contacts,
    API + "webwxstatusnotify": Handler.status_notify,
    API + "synccheck": Handler.sync_check,
    API + "webwxsync": Handler.sync,
    API + "webwxsendmsg": Handler.send_text,
    API + "webwxsendmsgimg": Handler.send_picture,
    API + "webwxrevokemsg": Handler.recall,
    API + "webwxuploadmedia": Handler.upload,
    API + "webwxgetmsgimg": Handler.picture,
    "/_log": Handler.show_log,
    "/_state": Handler.show_state,
    "/_say": Handler.friend_says,
    "/_show": Handler.friend_shows,
    "/_recall": Handler.friend_recalls,
    "/_odd": Handler.deliver_unusual_items,
    "/_end": Handler.phone_ends_it,
}


def main() -> None:
    Handler.world = World()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
