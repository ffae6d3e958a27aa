"""
Our client and an independent server: the main job against `stranger_server.py`, which shares no line with us.

The requests are read from the server's own log, byte for byte, and their effects from its own state. The four reference
requests are compared completely: method, path, query, headers, and the body's keys, their order and the JSON types of
their values.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from tests.digests import md5
from tests.interop.conftest import expect
from tests.interop.processes import PATIENCE, Lines, fetch, photograph

from webwx import (
    AsyncClient,
    ChatroomRenamed,
    ContactChanged,
    ContactDeleted,
    Event,
    ImageMessage,
    LoggedOut,
    MediaUnavailable,
    MessageRecalled,
    NotLoggedIn,
    QrCode,
    QuarantinedMessage,
    RecallRefused,
    TextMessage,
    UnknownMessage,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.forks import Forks
    from tests.secret_scanner import SecretScanner

SERVER = Path(__file__).with_name("stranger_server.py")
API = "/cgi-bin/mmwebwx-bin/"
PASS_TICKET_QUERY = "pass_ticket=k3Yq%252BZ0stranger%252FticketExample%253D"
TEXT = "第一行 <b>&amp;</b> \"'\n第二行 😄 [微笑]"


class Asked:
    """A request as the server received it."""

    def __init__(self, logged: dict[str, Any]) -> None:
        self.line = f"{logged['method']} {logged['path']}" + (f"?{logged['query']}" if logged["query"] else "")
        self.path: str = logged["path"]
        self.query: str = logged["query"]
        self.headers: dict[str, str] = {name.title(): value for name, value in logged["headers"]}
        self.body = base64.b64decode(logged["body"])

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def shape(self) -> str:
        """Return the body's keys in their order, with the JSON types of their values."""
        return shape(json.loads(self.body, object_pairs_hook=tuple))


def shape(value: object) -> str:
    match value:
        case tuple():
            return "{" + ", ".join(f"{key}: {shape(member)}" for key, member in value) + "}"
        case bool() | None:
            return str(value)
        case int() | float():
            return "number"
        case str():
            return "string"
        case _:
            return type(value).__name__


class Stranger:
    """The server and the actions of its friend."""

    def __init__(self, url: str) -> None:
        self.url = url

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = fetch(f"{self.url}/_state")
        return state

    def sent(self) -> list[tuple[str, str, bool]]:
        """Return the sends of this account: the recipient, the text or the md5, and whether it was recalled."""
        return [
            (each["to"], each.get("text") or each["md5"], each["recalled"])
            for each in self.state()["messages"]
            if each["by"] == "me"
        ]

    def asked(self, endpoint: str) -> list[Asked]:
        return [each for each in self.log() if each.path.endswith("/" + endpoint)]

    def log(self) -> list[Asked]:
        return [Asked(logged) for logged in fetch(f"{self.url}/_log")["requests"]]

    def says(self, text: str) -> str:
        return str(fetch(f"{self.url}/_say", text.encode())["id"])

    def shows(self, picture: bytes) -> str:
        return str(fetch(f"{self.url}/_show", picture)["id"])

    def recalls(self, message_id: str) -> None:
        fetch(f"{self.url}/_recall", message_id.encode())

    def has_an_odd_day(self) -> None:
        fetch(f"{self.url}/_odd", b"")

    def ends_the_login(self) -> None:
        fetch(f"{self.url}/_end", b"")


@pytest.fixture
def stranger(start: Callable[..., Lines], secret_scanner: SecretScanner) -> Iterator[Stranger]:
    # Isolated and without site-packages: webwx cannot be imported there.
    stranger = Stranger(start(sys.executable, "-I", "-S", SERVER).next())
    yield stranger
    state = stranger.state()
    secret_scanner.watch({state["sid"], state["data_ticket"], state["pass_ticket"], *state["keys"]})


async def next_from_friend(events: AsyncIterator[Event]) -> Event:
    """Ignore the events of this account itself: this server delivers all own messages."""
    async for event in events:
        if not getattr(event, "is_self", False):
            return event
    raise AssertionError("events() has ended")


def check_reference_headers(stranger: Stranger, request: Asked) -> None:
    """Check that all four requests have the same headers and all cookies of the session."""
    state = stranger.state()
    assert request.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert request.headers["Accept"] == "application/json, text/plain, */*"
    assert request.headers["Referer"] == f"{stranger.url}/"
    assert request.headers["User-Agent"].startswith("Mozilla/5.0 ")
    cookies = dict(cookie.partition("=")[::2] for cookie in request.headers["Cookie"].split("; "))
    assert {"wxuin", "wxsid", "wxloadtime", "mm_lang", "webwx_data_ticket", "webwxuvid", "webwx_auth_ticket"} == set(
        cookies
    )
    assert (cookies["wxuin"], cookies["wxsid"]) == (state["uin"], state["sid"])
    assert cookies["webwx_data_ticket"] == state["data_ticket"]


def check_credentials(stranger: Stranger, request: Asked, uin: str | int, key: int = -1) -> None:
    state = stranger.state()
    base = request.json["BaseRequest"]
    assert (base["Uin"], base["Sid"], base["Skey"]) == (uin, state["sid"], state["keys"][key])
    assert re.fullmatch(r"e\d{15}", base["DeviceID"])


BASE = "BaseRequest: {Uin: number, Sid: string, Skey: string, DeviceID: string}"
SEND = "FromUserName: string, ToUserName: string, LocalID: string, ClientMsgId: string"


async def test_the_main_job(stranger: Stranger) -> None:
    photo, drawing = photograph("JPEG", seed=1, width=1000, height=900), photograph("PNG", seed=2)
    codes: list[QrCode] = []
    async with AsyncClient(server=stranger.url) as client, aclosing(client.events(include_all=False)) as events:
        # Log in.
        account = await client.login(show_qr=codes.append)
        names = stranger.state()["names"]
        assert (account.nickname, account.id, account.uin) == ("小明😄", names["me"], 2100000077)
        # The code holds the uuid as plain letters; a phone need not parse it as an address.
        uuid = parse_qs(stranger.asked("login")[0].query)["uuid"][0]
        assert uuid.endswith("==")
        assert [code.url for code in codes] == [f"{stranger.url}/l/{uuid}"]
        boss = client.contacts.find(remark="Boss")
        assert (boss.id, boss.nickname) == (names["boss"], "阿华")

        # A text arrives, and is marked as read.
        text_id = stranger.says(TEXT)
        text = expect(TextMessage, await next_from_friend(events))
        assert (text.message_id, text.text, text.sender, text.chat) == (text_id, TEXT, boss.id, boss.id)
        assert stranger.state()["unread"] == {"Boss": 1}
        await client.mark_read(boss)
        assert stranger.state()["unread"] == {"Boss": 0}

        # A text is sent, and recalled.
        receipt = await client.send_text("Boss", TEXT)
        assert stranger.sent() == [("Boss", TEXT, False)]
        await client.recall(receipt)
        assert stranger.sent() == [("Boss", TEXT, True)]
        with pytest.raises(RecallRefused):
            await client.recall(receipt)

        # A picture of several chunks is sent.
        await client.send_image(boss, photo, name="照片.jpg")
        assert stranger.sent()[1:] == [("Boss", md5(photo), False)]

        # A picture arrives, is recalled, and is forwarded afterwards.
        picture_id = stranger.shows(drawing)
        picture = expect(ImageMessage, await next_from_friend(events))
        assert (picture.message_id, picture.can_forward) == (picture_id, True)
        assert md5(await client.download(picture)) == md5(drawing)
        stranger.recalls(picture_id)
        recalled = expect(MessageRecalled, await next_from_friend(events))
        assert (recalled.message_id, recalled.original, recalled.chat) == (picture_id, picture, boss.id)
        with pytest.raises(MediaUnavailable):
            await client.download(picture)
        forwarded = await client.forward(recalled, "filehelper")
        assert stranger.sent()[2:] == [("filehelper", md5(drawing), False)]

        # A text is recalled as well; its notice has the older form.
        stranger.recalls(text_id)
        recalled = expect(MessageRecalled, await next_from_friend(events))
        assert (recalled.message_id, recalled.original) == (text_id, text)

        await client.logout()
        assert stranger.state()["ended"]
        with pytest.raises(NotLoggedIn):
            _ = client.account

    # There was no request that this server does not know, and none out of order.
    order = [request.path.rpartition("/")[2] for request in stranger.log()]
    assert order[:10] == [
        "jslogin", "login", "login", "login", "webwxnewloginpage", "webwxinit", "webwxstatusnotify",
        "webwxgetcontact", "webwxgetcontact", "webwxbatchgetcontact",
    ]  # fmt: skip
    # The client looks up unknown contacts at the same time.
    assert set(order[10:]) - {"webwxbatchgetcontact"} == {
        "synccheck", "webwxsync", "webwxstatusnotify", "webwxsendmsg", "webwxrevokemsg", "webwxuploadmedia",
        "webwxsendmsgimg", "webwxgetmsgimg", "webwxlogout",
    }  # fmt: skip

    # 1. Mark as read.
    announced, read = stranger.asked("webwxstatusnotify")
    assert announced.json["Code"] == 3
    assert read.line == f"POST {API}webwxstatusnotify?{PASS_TICKET_QUERY}"
    check_reference_headers(stranger, read)
    check_credentials(stranger, read, uin="2100000077")
    assert read.shape == (
        "{BaseRequest: {Uin: string, Sid: string, Skey: string, DeviceID: string}, "
        "Code: number, FromUserName: string, ToUserName: string, ClientMsgId: number}"
    )
    assert (read.json["Code"], read.json["FromUserName"], read.json["ToUserName"]) == (1, account.id, boss.id)
    assert re.fullmatch(r"\d{13}", str(read.json["ClientMsgId"]))

    # 2. Send a text.
    [sent] = stranger.asked("webwxsendmsg")
    assert sent.line == f"POST {API}webwxsendmsg?{PASS_TICKET_QUERY}"
    check_reference_headers(stranger, sent)
    check_credentials(stranger, sent, uin=2100000077)
    assert sent.shape == f"{{{BASE}, Msg: {{Type: number, Content: string, {SEND}}}, Scene: number}}"
    message = sent.json["Msg"]
    assert (message["Type"], message["Content"], sent.json["Scene"]) == (1, TEXT, 0)
    assert (message["FromUserName"], message["ToUserName"]) == (account.id, boss.id)
    assert message["LocalID"] == message["ClientMsgId"] == receipt.client_id
    assert re.fullmatch(r"\d{17}", receipt.client_id)
    assert "第一行".encode() in sent.body  # Not as \\uXXXX.

    # 3. Recall it.
    recall, again = stranger.asked("webwxrevokemsg")
    assert recall.line == f"POST {API}webwxrevokemsg"
    assert recall.body == again.body
    check_reference_headers(stranger, recall)
    check_credentials(stranger, recall, uin=2100000077)
    assert recall.shape == f"{{{BASE}, SvrMsgId: string, ToUserName: string, ClientMsgId: string}}"
    assert {key: value for key, value in recall.json.items() if key != "BaseRequest"} == {
        "SvrMsgId": receipt.message_id,
        "ToUserName": boss.id,
        "ClientMsgId": receipt.client_id,
    }

    # 4. Forward the recalled picture.
    _, forward = stranger.asked("webwxsendmsgimg")
    assert forward.line == f"POST {API}webwxsendmsgimg?fun=async&f=json&{PASS_TICKET_QUERY}"
    check_reference_headers(stranger, forward)
    check_credentials(stranger, forward, uin=2100000077)
    assert (
        forward.shape == f"{{{BASE}, Msg: {{Type: number, MediaId: string, Content: string, {SEND}}}, Scene: number}}"
    )
    message = forward.json["Msg"]
    assert (message["Type"], message["MediaId"], forward.json["Scene"]) == (3, "", 2)
    assert (message["FromUserName"], message["ToUserName"]) == (account.id, "filehelper")
    assert message["LocalID"] == message["ClientMsgId"] == forwarded.client_id
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', picture.content.replace("&quot;", '"')))
    attributes = dict(re.findall(r'(\w+)="([^"]*)"', message["Content"]))
    for name in ("aeskey", "cdnthumbaeskey", "cdnthumburl", "cdnmidimgurl", "md5", "length", "hevc_mid_size"):
        assert attributes[name] == wanted[name], name
    assert message["Content"].startswith('<?xml version="1.0"?>\n<msg>')
    assert message["Content"].rstrip().endswith("</msg>")
    assert "&" not in message["Content"]

    # The picture was uploaded in chunks of 512 KiB in order, with the file last, and only with fields of the page.
    chunks = stranger.asked("webwxuploadmedia")
    assert [chunk.line for chunk in chunks] == [f"POST {API}webwxuploadmedia?f=json"] * len(chunks)
    assert len(chunks) == -(-len(photo) // 524288) > 1
    assert [int(form_field(chunk, "chunk")) for chunk in chunks] == list(range(len(chunks)))
    assert {form_field(chunk, "webwx_data_ticket") for chunk in chunks} == {stranger.state()["data_ticket"]}
    assert {form_field(chunk, "pass_ticket") for chunk in chunks} == {"k3Yq+Z0stranger/ticketExample="}
    assert {form_field(chunk, "mediatype") for chunk in chunks} == {"pic"}

    # The client polled with one key, fetched with the other, and did not poll at full speed.
    assert all(
        "13" not in {each["Key"] for each in sync.json["SyncKey"]["List"]} for sync in stranger.asked("webwxsync")
    )
    assert "13_" in stranger.asked("synccheck")[-1].query
    assert len(stranger.asked("synccheck")) <= len(stranger.asked("webwxsync")) <= 12


def form_field(request: Asked, name: str) -> str:
    found = re.search(rf'name="{name}"\r\n(?:[^\r]+\r\n)*\r\n(.*?)\r\n--'.encode(), request.body, re.DOTALL)
    assert found is not None, name
    return found[1].decode()


async def test_unusual_items_and_failures(stranger: Stranger) -> None:
    async with AsyncClient(server=stranger.url) as client, aclosing(client.events()) as events:
        await client.login(show_qr=lambda _: None)
        names = stranger.state()["names"]
        await anext(events)  # The phone's answer to the announcement.
        assert client.contacts.find(nickname="Tom & Jerry😄").remark == ""
        assert client.contacts.find(nickname="示例公众号").kind == "official"
        assert client.contacts.find(nickname="断名�").kind == "friend"
        assert client.contacts.find(nickname="老王").kind == "friend"

        stranger.has_an_odd_day()
        happened = [await anext(events) for _ in range(11)]

        assert [type(event) for event in happened] == [
            TextMessage, TextMessage, QuarantinedMessage, UnknownMessage, UnknownMessage, ContactDeleted,
            ContactChanged, TextMessage, TextMessage, ChatroomRenamed, TextMessage,
        ]  # fmt: skip
        twice, number, _, broken, unknown, deleted, changed, group, own, system, last = happened
        assert expect(TextMessage, twice).text == "in both lists"
        assert expect(TextMessage, number).message_id.startswith("73000000000000")
        assert expect(UnknownMessage, broken).raw["MsgType"] == {"what": 1}
        assert expect(UnknownMessage, unknown).message_type == 9527
        boss = expect(ContactChanged, changed).contact
        assert (boss.nickname, boss.remark) == ("阿华", "Boss")
        assert client.contacts.find(remark="Boss") == boss
        assert client.contacts.get(expect(ContactDeleted, deleted).id) is None
        spoken = expect(TextMessage, group)
        assert (spoken.text, spoken.sender, spoken.chat) == ("大家好\na < &lt;", names["member"], names["group"])
        listed = expect(TextMessage, own)
        assert (listed.text, listed.is_self, listed.chat) == ("清单:\n一", True, names["group"])
        assert expect(ChatroomRenamed, system).text == "你修改群名为“示例群”"
        assert expect(TextMessage, last).text == "last 🇨🇳"

        # The key that changed inside that run is in use now.
        await client.send_text(boss, "with the new key")
        assert len(stranger.state()["keys"]) == 3
        check_credentials(stranger, stranger.asked("webwxsendmsg")[0], uin=2100000077)
        echo = expect(TextMessage, await anext(events))
        assert (echo.text, echo.is_self) == ("with the new key", True)

        stranger.ends_the_login()
        with pytest.raises(LoggedOut) as caught:
            await anext(events)
        assert caught.value.reason == "phone"


class Commands:
    """The command line, each command in its own process."""

    def __init__(self, url: str, environment: dict[str, str], secret_scanner: SecretScanner, forks: Forks) -> None:
        self._url = url
        self._environment = environment
        self._secret_scanner = secret_scanner
        self._forks = forks

    def run(self, *arguments: str | Path, stdin: str = "", code: int = 0) -> list[dict[str, Any]]:
        words = [*map(str, arguments), "--server", self._url, "--json"]
        done = self._forks.run(words, stdin.encode() or None, self._environment, PATIENCE)
        self._secret_scanner.record(f"stdout of webwx {arguments[0]}", done.stdout.decode())
        self._secret_scanner.record(f"stderr of webwx {arguments[0]}", done.stderr.decode())
        assert done.returncode == code, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    def listen(self, event: str) -> dict[str, Any]:
        """Print one event after the other, until one of this kind is not from the account itself."""
        while True:
            [printed] = self.run("listen", "--count", "1")
            if printed["type"] == event and not printed["is_self"]:
                return printed


def test_the_command_line(
    stranger: Stranger, environment: dict[str, str], secret_scanner: SecretScanner, forks: Forks, tmp_path: Path
) -> None:
    webwx = Commands(stranger.url, environment, secret_scanner, forks)
    photo, drawing = photograph("JPEG", seed=1), photograph("PNG", seed=2)
    file = tmp_path / "照片 1.jpg"
    file.write_bytes(photo)

    [account] = webwx.run("login")
    assert (account["nickname"], account["id"]) == ("小明😄", stranger.state()["names"]["me"])
    contacts = {each["remark"] or each["nickname"]: each["id"] for each in webwx.run("contacts")}
    assert stranger.state()["names"]["boss"] == contacts["Boss"]
    [status] = webwx.run("status")
    assert status["logged_in"]

    stranger.says(TEXT)
    assert webwx.listen("message.text")["text"] == TEXT
    webwx.run("read", "Boss")
    assert stranger.state()["unread"] == {"Boss": 0}

    [receipt] = webwx.run("send", "Boss", TEXT)
    webwx.run("recall", stdin=json.dumps(receipt))
    webwx.run("send", "Boss", "--image", file)
    assert stranger.sent() == [("Boss", TEXT, True), ("Boss", md5(photo), False)]

    picture_id = stranger.shows(drawing)
    picture = webwx.listen("message.image")
    stranger.recalls(picture_id)
    recalled = webwx.listen("message.recalled")
    assert picture_id == picture["message_id"] == recalled["message_id"]
    webwx.run("forward", "filehelper", stdin=json.dumps(picture))
    assert stranger.sent()[2:] == [("filehelper", md5(drawing), False)]

    webwx.run("logout")
    assert stranger.state()["ended"]
    assert webwx.run("send", "filehelper", "too late", code=4) == []

    for endpoint, query in (
        ("webwxsendmsg", f"?{PASS_TICKET_QUERY}"),
        ("webwxrevokemsg", ""),
        ("webwxsendmsgimg", f"?fun=async&f=json&{PASS_TICKET_QUERY}"),
    ):
        request = stranger.asked(endpoint)[-1]
        assert request.line == f"POST {API}{endpoint}{query}"
        check_reference_headers(stranger, request)
        check_credentials(stranger, request, uin=2100000077)
    read = stranger.asked("webwxstatusnotify")[-1]
    check_reference_headers(stranger, read)
    check_credentials(stranger, read, uin="2100000077")
