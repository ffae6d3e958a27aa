"""
Malformed input: for any input, a decoder returns a value or raises one of our errors within a time limit.

Each target is a decoder and a well-formed sample, which a seeded mutator damages: it moves bytes and slices, and puts
odd values into JSON. A value that a decoder returns can also be encoded again. `tests/test_fuzz.py` runs all targets
for a short time in every test run; `make fuzz` runs this module for any time, with a seed that it prints.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from tests.recording import RECORDINGS, read_request
from tests.samples import sample

from webwx.errors import WxError
from webwx.model.contacts import ContactId
from webwx.model.events import Item, event_from_item, event_from_json, event_to_json
from webwx.model.messages import Envelope, Receipt
from webwx.model.notices import system_message
from webwx.model.text import is_mentioned, notice_text, plain_text
from webwx.protocol import ENDPOINTS
from webwx.protocol.appmsg import AppContent, Article, Attachment, Reference, read_app, write_app, write_received_app
from webwx.protocol.codec import read_json, read_script, write_json
from webwx.protocol.contacts import WireContact, WireUser
from webwx.protocol.content import (
    RecallNotice,
    escape,
    forward_image,
    read_image,
    read_loosely,
    read_recall_notice,
    read_xml,
    split_sender,
    unescape,
    write_image,
    write_message,
    write_recall_notice,
)
from webwx.protocol.cookies import Jar, read_cookie_header
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import FAMILIES, choose, follow
from webwx.protocol.http import Response, http_time
from webwx.protocol.media import UploadTicket, image_type
from webwx.protocol.messages import WireMessage
from webwx.protocol.sync import DeletedContact, read_sync_key
from webwx.protocol.sysmsg import read_notice, write_pat, write_template

HOSTS = FAMILIES["wx.qq.com"]

LIMIT = 0.05
"""Seconds of processor time allowed for one input."""


class Target(NamedTuple):
    """A decoder and a well-formed input to damage."""

    name: str
    sample: bytes
    decode: Callable[[bytes], object]


# -- damage ----------------------------------------------------------------------------------------------------------

ODD_BYTES = (
    b"", b"\0", b"\xff", b"\xed\xa0\xbd", b"\xef\xbb\xbf", "٣".encode(), "你😀".encode(), b"\r\n\r\n", b"--", b'"',
    b"'", b"\\", b"\\ud83d", b"{", b"}", b"[" * 2_000, b"<", b"</", b"]]>", b"&", b"&lt;", b"%", b"%ff", b"=", b";",
    b"null", b"NaN", b"1e999", b"-", b"9" * 5_000, b"<![CDATA[", b"<!DOCTYPE a>", b"&amp;lt;", b"<br/>", b"@a:<br/>",
    b'<span class="emoji emoji', "\u2005".encode(), b"$a$", b"<!--", b"<?",
)  # fmt: skip
ODD_JSON: tuple[object, ...] = (
    None, "", "x", [], {}, [[]], {"a": 1}, True, -1, 1.5, 2**70, "9" * 5_000, "\ud83d", "\0", 1, 3, 34, 37, 40, 42, 43,
    47, 48, 49, 50, 51, 62, 10000, 10002,
)  # fmt: skip


def damage(sound: bytes, dice: random.Random) -> bytes:
    """Damage a sample in one to three places."""
    for _ in range(dice.randint(1, 3)):
        start, end = sorted(dice.randint(0, len(sound)) for _ in range(2))
        end = dice.choice((start, min(len(sound), start + 1), end))
        put = dice.choice((dice.choice(ODD_BYTES), sound[start:end] * 2, bytes([dice.randrange(256)])))
        sound = sound[:start] + put + sound[end:]
    return sound


def damage_json(sound: bytes, dice: random.Random) -> bytes:
    """Put an odd value or a damaged text somewhere into JSON."""
    root = [json.loads(sound)]
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [root]
    while waiting:
        inner = waiting.pop()
        for key in inner if isinstance(inner, dict) else range(len(inner)):
            places.append((inner, key))
            if isinstance(inner[key], dict | list):
                waiting.append(inner[key])
    place, key = dice.choice(places)
    old = place[key]
    is_text = isinstance(old, str) and dice.random() < 0.5
    place[key] = damage(old.encode(), dice).decode("utf-8", "surrogateescape") if is_text else dice.choice(ODD_JSON)
    return json.dumps(root[0]).encode()


def is_json(sound: bytes) -> bool:
    return sound.startswith(b"{") and sound.rstrip().endswith(b"}")


def feed(target: Target, dice: random.Random, cases: int) -> None:
    """Decode a sample and use the value; any error but `WxError` fails, and so does a slow decoder."""
    target.decode(target.sample)
    can_damage_json = is_json(target.sample)
    for case in range(cases):
        broken = (damage_json if can_damage_json and case % 2 else damage)(target.sample, dice)
        # Measured twice, so that a garbage collection in between does not count.
        took = _decode(target, broken)
        if took > LIMIT and (took := _decode(target, broken)) > LIMIT:
            raise AssertionError(f"{target.name} took {took:.3f} s for {broken[:2_000]!r}")


def _decode(target: Target, broken: bytes) -> float:
    began = time.process_time()
    try:
        target.decode(broken)
    except WxError:
        pass
    except Exception as error:
        raise AssertionError(f"{target.name} raised {error!r} for {broken[:2_000]!r}") from error
    return time.process_time() - began


# -- calls, from both ends -------------------------------------------------------------------------------------------


def _request_body(endpoint: Endpoint[Any, Any]) -> Target:
    request = endpoint.encode_request(sample(endpoint.request), HOSTS)

    def decode(body: bytes) -> None:
        value = endpoint.decode_request(msgspec.structs.replace(request, body=body))
        endpoint.encode_request(value, HOSTS)

    return Target(f"{endpoint.name} request body", request.content, decode)


def _request_address(endpoint: Endpoint[Any, Any]) -> Target:
    request = endpoint.encode_request(sample(endpoint.request), HOSTS)
    origin = HOSTS.origin(endpoint.host)

    def decode(target: bytes) -> None:
        broken = msgspec.structs.replace(request, url=f"{origin}/{target.decode('utf-8', 'replace')}")
        endpoint.matches(broken.method, broken.path)
        endpoint.encode_request(endpoint.decode_request(broken), HOSTS)

    return Target(f"{endpoint.name} request address", request.url.removeprefix(f"{origin}/").encode(), decode)


def _content_type(endpoint: Endpoint[Any, Any]) -> Target:
    request = endpoint.encode_request(sample(endpoint.request), HOSTS)

    def decode(content_type: bytes) -> None:
        headers = (("Content-Type", content_type.decode("latin-1")),)
        endpoint.decode_request(msgspec.structs.replace(request, headers=headers))

    return Target(f"{endpoint.name} content type", request.header("Content-Type").encode(), decode)


def _reply(endpoint: Endpoint[Any, Any]) -> Target:
    response = endpoint.encode_reply(sample(endpoint.reply))

    def decode(body: bytes) -> None:
        value = endpoint.decode_reply(Response(headers=response.headers, body=body))
        endpoint.encode_reply(value)
        repr(value)

    return Target(f"{endpoint.name} reply", response.body, decode)


def _recording(name: str) -> Target:
    request = read_request(f"requests/{name}")
    [endpoint] = [endpoint for endpoint in ENDPOINTS if endpoint.matches(request.method, request.path)]

    def decode(body: bytes) -> None:
        endpoint.encode_request(endpoint.decode_request(msgspec.structs.replace(request, body=body)), HOSTS)

    return Target(f"recording {name}", request.content, decode)


def _item(kind: type[msgspec.Struct]) -> Target:
    return Target(kind.__name__, write_json(sample(kind)), lambda body: write_json(read_json(body, kind)))


# -- texts and XML ---------------------------------------------------------------------------------------------------

IMAGE = write_image({"aeskey": "k", "cdnthumbaeskey": "k", "cdnthumburl": "u", "cdnmidimgurl": "u", "md5": "m"})
RECALL = write_recall_notice(
    RecallNotice(
        message_id="29", text='"张三" 撤回了一条消息', session="wxid_x", old_message_id="1", new_message_id="30"
    )
)
APP = write_received_app(
    AppContent(
        type=57, title="a & b", url="http://a/?b&c", attachment=Attachment(size=7, id="@cdn", extension="pdf"),
        quoted=Reference(type=49, content="<msg><appmsg><title>t</title></appmsg></msg>"),
        articles=(Article(title="一", time=7),),
    ),
    "wxid_a",
)  # fmt: skip
TEMPLATE = write_template('"$a$"邀请"$b$"加入了群聊', {"a": {"wxid_a": "A"}, "b": {"wxid_b": "B", "wxid_c": "C"}})
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
ENVELOPE = Envelope(message_id="1", chat=ContactId("@@a"), sender=None, is_self=False, time=1, content="")


def _image_again(xml: str) -> None:
    image = read_image(xml)
    if image is not None:
        assert image == read_image(write_image(image))


def _recall_again(xml: str) -> None:
    notice = read_recall_notice(xml)
    if notice is not None:
        write_recall_notice(notice)


def _app_again(xml: str) -> None:
    content = read_app(xml)
    if content is not None:
        assert read_xml(write_app(content)) is not None


def _absorbed(text: str) -> None:
    jar = Jar().updated("https://wx.qq.com/cgi-bin", (text, "a=1"), 1_700_000_000.0)
    jar.header("https://wx.qq.com/cgi-bin", 1_700_000_000.0)
    repr(jar)


def _read_back(read: Callable[[str], object]) -> Callable[[str], None]:
    """Return a decoder that accepts the `ValueError` of a reader of our own JSON."""

    def decode(text: str) -> None:
        try:
            read(text)
        except ValueError:
            return

    return decode


TEXTS: dict[str, tuple[str, Callable[[str], object]]] = {
    "read_xml": (IMAGE, read_xml),
    "read_loosely": (APP, read_loosely),
    "read_image": (IMAGE, _image_again),
    "forward_image": (IMAGE, forward_image),
    "read_recall_notice": (RECALL, _recall_again),
    "read_app": (APP, _app_again),
    "read_notice": (TEMPLATE, read_notice),
    "read_notice of a pat": (write_pat(actor="wxid_a", target="wxid_b", chat="1@chatroom"), read_notice),
    "split_sender": ("@abc:<br/>你好<br/>x", split_sender),
    "unescape": ("a &amp;lt; &lt;b&gt; &#39;", lambda text: escape(unescape(text))),
    "plain_text": ('a<br/>&lt;b&gt;<span class="emoji emoji1f602"></span>&amp;', plain_text),
    "notice_text": ('"A"邀请&lt;a href="x"&gt;B&lt;/a&gt;<br/>', notice_text),
    "a grey line": ('"A"邀请你和"B、C"加入了群聊', lambda text: system_message(ENVELOPE, text)),
    "is_mentioned": ("@小明\u2005在吗 @a.b*", lambda text: is_mentioned(text, [text[1:5], "a.b*"])),
    "read_script": ('window.QRLogin.code = 200; window.a={b:"1",c:"2"};', lambda text: read_script(_bytes(text))),
    "Set-Cookie": (f"wxsid=QQ+/=; Domain=.qq.com; Path=/; Max-Age=60; Expires={DATE}", _absorbed),
    "Cookie": ("wxsid=QQ+/=; wxuin=5", read_cookie_header),
    "http_time": (DATE, http_time),
    "http_time with a zone": ("Tue, 14-Nov-2023 22:13:20 +0800", http_time),
    "read_sync_key": ("1_7|2_8|1000_9", read_sync_key),
    "follow": ("https://wx.qq.com:443/cgi-bin?ticket=x", lambda url: follow(url, None)),
    "server": ("http://127.0.0.1:8790", lambda url: choose(None, url)),
    "receipt": ('{"message_id":"1","client_id":"2","chat":"@a","time":1.5}', _read_back(Receipt.from_json)),
    "event": (
        '{"type":"message.text","message_id":"1","chat":"@a","sender":null,"is_self":true,"time":1,"content":"","text":""}',
        _read_back(event_from_json),
    ),
}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(name: str) -> Target:
    sound, decode = TEXTS[name]
    # Bytes that are not UTF-8 become lone surrogates, as in JSON escapes and in file names of a system.
    return Target(name, sound.encode(), lambda broken: decode(broken.decode("utf-8", "surrogateescape")))


# -- delivered messages ----------------------------------------------------------------------------------------------

DELIVERED: dict[str, dict[str, object]] = {
    "a text": {"MsgType": 1, "Content": 'a<br/>&lt;b&gt;<span class="emoji emoji1f602"></span>'},
    "a member's text": {"MsgType": 1, "FromUserName": "@@room", "Content": "@abc:<br/>hi"},
    "a location": {
        "MsgType": 1, "SubMsgType": 48, "Content": "路:<br/>/cgi-bin/x", "Url": "http://a/?coord=22.5,113.5",
        "OriContent": write_message("location", {"x": "22.5", "y": "113.5", "label": "路"}),
    },
    "a picture": {"MsgType": 3, "Content": escape(IMAGE)},
    "a voice": {"MsgType": 34, "VoiceLength": 1, "Content": escape('<msg><voicemsg voicelength="1" /></msg>')},
    "a friend request": {
        "MsgType": 37, "FromUserName": "fmessage", "RecommendInfo": {"UserName": "@a", "NickName": "x", "Ticket": "v2"},
        "Content": escape('<msg fromnickname="x" content="y" ticket="v2"/>'),
    },
    "a card": {"MsgType": 42, "Content": escape('<msg nickname="x" />'), "RecommendInfo": {"VerifyFlag": 24}},
    "a video": {"MsgType": 43, "Content": escape(write_message("videomsg", {"length": "7", "playlength": "2"}))},
    "a sticker": {
        "MsgType": 47, "Content": escape('<msg><emoji md5="m" len="1"/><gameext type="1" content="2"/></msg>'),
    },
    "an app message": {"MsgType": 49, "AppMsgType": 57, "Content": escape(APP), "FileName": "a&amp;b", "FileSize": "7"},
    "a file": {"MsgType": 49, "AppMsgType": 6, "Content": escape(APP), "FileName": "a.pdf", "FileSize": "7"},
    "news": {"MsgType": 1, "FromUserName": "newsapp", "Content": escape(APP)},
    "what the phone did": {
        "MsgType": 51, "StatusNotifyCode": 4, "StatusNotifyUserName": "@a,@@b",
        "Content": escape("<msg><op id='4'><username>wxid_a,1@chatroom</username></op></msg>"),
    },
    "a grey line": {"MsgType": 10000, "Content": '"A" 拍了拍我'},
    "a recall": {"MsgType": 10002, "FromUserName": "@@room", "Content": "@abc:<br/>" + escape(RECALL)},
    "a template": {"MsgType": 10002, "Content": escape(TEMPLATE)},
    "an unknown kind": {"MsgType": 4242, "Content": "?"},
}  # fmt: skip


def _delivered(name: str) -> Target:
    def decode(body: bytes) -> None:
        try:
            [raw] = read_json(b"[" + body + b"]", list[msgspec.Raw])
        except ValueError:
            return  # Two items or none: the damage was in the list around them.
        event = event_from_item(Item(kind="message", raw=raw), "@me")
        line = event_to_json(event)
        assert event_from_json(line) == event
        assert "\n" not in line
        repr(event)
        for derived in ("payload", "can_forward", "action"):
            getattr(event, derived, None)

    fields = {"MsgId": "4600000000000000001", "FromUserName": "@a", "ToUserName": "@me", **DELIVERED[name]}
    return Target(f"delivered: {name}", json.dumps(fields).encode(), decode)


# -- all of them -----------------------------------------------------------------------------------------------------

TARGETS: tuple[Target, ...] = (
    *(make(endpoint) for make in (_request_body, _request_address, _content_type, _reply) for endpoint in ENDPOINTS),
    *(_recording(name) for name in sorted(path.stem for path in (RECORDINGS / "requests").glob("*.http"))),
    *(_item(kind) for kind in (WireMessage, WireContact, WireUser, DeletedContact, UploadTicket)),
    *map(_text, TEXTS),
    *map(_delivered, DELIVERED),
    Target("image_type", b"\x89PNG\r\n\x1a\n", image_type),
)


def main() -> None:
    """Run every target in turn until the time is over."""
    parser = argparse.ArgumentParser(description="Subscription damaged input to every decoder.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    given = parser.parse_args()
    print(f"seed {given.seed}, {len(TARGETS)} decoders, {given.seconds:g} s", flush=True)
    dice, end, fed, at_once = random.Random(given.seed), time.monotonic() + given.seconds, 0, 100
    for target in itertools.cycle(TARGETS):
        if time.monotonic() > end:
            break
        feed(target, dice, at_once)
        fed += at_once
    print(f"{fed:,} damaged inputs, 0 uncaught exceptions")


if __name__ == "__main__":
    main()
