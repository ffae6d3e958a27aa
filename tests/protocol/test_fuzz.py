"""
Malformed input: whatever arrives, a decoder gives a value or one of our errors.

Each decoder is fed well-formed samples that a seeded mutator has damaged: bytes and slices moved, odd values put into
JSON. What a decoder lets pass must also be fit to be written again. A failure shows the input that caused it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.recording import RECORDINGS, read_request
from tests.samples import sample

from webwx.errors import WxError
from webwx.protocol import ENDPOINTS, Endpoint
from webwx.protocol.codec import read_json, write_json
from webwx.protocol.contacts import WireContact, WireUser
from webwx.protocol.content import (
    RecallNotice,
    escape,
    forward_image,
    read_image,
    read_recall_notice,
    read_xml,
    split_sender,
    unescape,
    write_image,
    write_recall_notice,
)
from webwx.protocol.cookies import Jar, read_cookie_header
from webwx.protocol.hosts import FAMILIES, choose, follow
from webwx.protocol.http import Response, http_time
from webwx.protocol.media import UploadTicket, image_type
from webwx.protocol.messages import WireMessage
from webwx.protocol.sync import DeletedContact, read_sync_key

HOSTS = FAMILIES["wx.qq.com"]
CASES = 200
"""Damaged inputs per sample."""

ODD_BYTES = (
    b"", b"\0", b"\xff", b"\xed\xa0\xbd", b"\xef\xbb\xbf", "٣".encode(), "你😀".encode(), b"\r\n\r\n", b"--", b'"',
    b"'", b"\\", b"\\ud83d", b"{", b"}", b"[" * 2_000, b"<", b"</", b"]]>", b"&", b"&lt;", b"%", b"%ff", b"=", b";",
    b"null", b"NaN", b"1e999", b"-", b"9" * 5_000,
)  # fmt: skip
ODD_JSON = (None, "", "x", [], {}, [[]], {"a": 1}, True, -1, 1.5, 2**70, "9" * 5_000, "\ud83d", "\0")


def damage(sample: bytes, dice: random.Random) -> bytes:
    """Damage a sample in one to three places."""
    for _ in range(dice.randint(1, 3)):
        start, end = sorted(dice.randint(0, len(sample)) for _ in range(2))
        end = dice.choice((start, min(len(sample), start + 1), end))
        put = dice.choice((dice.choice(ODD_BYTES), sample[start:end] * 2, bytes([dice.randrange(256)])))
        sample = sample[:start] + put + sample[end:]
    return sample


def damage_json(sample: bytes, dice: random.Random) -> bytes:
    """Put an odd value somewhere into JSON."""
    root = [json.loads(sample)]
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [root]
    while waiting:
        inner = waiting.pop()
        for key in inner if isinstance(inner, dict) else range(len(inner)):
            places.append((inner, key))
            if isinstance(inner[key], dict | list):
                waiting.append(inner[key])
    place, key = dice.choice(places)
    place[key] = dice.choice(ODD_JSON)
    return json.dumps(root[0]).encode()


def is_json(sample: bytes) -> bool:
    return sample.startswith(b"{") and sample.rstrip().endswith(b"}")


def feed(name: str, sample: bytes, decode: Callable[[bytes], object]) -> None:
    """Decode a sample and what becomes of it; anything but a value or a `WxError` fails."""
    dice = random.Random(name)
    decode(sample)
    for case in range(CASES):
        broken = damage_json(sample, dice) if is_json(sample) and case % 2 else damage(sample, dice)
        try:
            decode(broken)
        except WxError:
            continue
        except Exception as error:
            raise AssertionError(f"{name} raised {error!r} for {broken[:2_000]!r}") from error


every_call = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)


@every_call
def test_a_damaged_request_body(endpoint: Endpoint[Any, Any]) -> None:
    request = endpoint.encode_request(sample(endpoint.request), HOSTS)

    def decode(body: bytes) -> None:
        value = endpoint.decode_request(msgspec.structs.replace(request, body=body))
        endpoint.encode_request(value, HOSTS)

    feed(f"{endpoint.name} request body", request.content, decode)


@every_call
def test_a_damaged_request_address(endpoint: Endpoint[Any, Any]) -> None:
    request = endpoint.encode_request(sample(endpoint.request), HOSTS)
    origin = HOSTS.origin(endpoint.host)

    def decode(target: bytes) -> None:
        broken = msgspec.structs.replace(request, url=f"{origin}/{target.decode('utf-8', 'replace')}")
        endpoint.matches(broken.method, broken.path)
        endpoint.encode_request(endpoint.decode_request(broken), HOSTS)

    feed(f"{endpoint.name} request address", request.url.removeprefix(f"{origin}/").encode(), decode)


@every_call
def test_a_damaged_content_type(endpoint: Endpoint[Any, Any]) -> None:
    request = endpoint.encode_request(sample(endpoint.request), HOSTS)

    def decode(content_type: bytes) -> None:
        headers = (("Content-Type", content_type.decode("latin-1")),)
        endpoint.decode_request(msgspec.structs.replace(request, headers=headers))

    feed(f"{endpoint.name} content type", request.header("Content-Type").encode(), decode)


@every_call
def test_a_damaged_reply(endpoint: Endpoint[Any, Any]) -> None:
    response = endpoint.encode_reply(sample(endpoint.reply))

    def decode(body: bytes) -> None:
        value = endpoint.decode_reply(Response(headers=response.headers, body=body))
        endpoint.encode_reply(value)
        repr(value)

    feed(f"{endpoint.name} reply", response.body, decode)


@pytest.mark.parametrize("name", sorted(path.stem for path in (RECORDINGS / "customer").glob("*.http")))
def test_a_damaged_recording(name: str) -> None:
    request = read_request(f"customer/{name}")
    [endpoint] = [endpoint for endpoint in ENDPOINTS if endpoint.matches(request.method, request.path)]

    def decode(body: bytes) -> None:
        endpoint.encode_request(endpoint.decode_request(msgspec.structs.replace(request, body=body)), HOSTS)

    feed(f"recording {name}", request.content, decode)


@pytest.mark.parametrize("kind", [WireMessage, WireContact, WireUser, DeletedContact, UploadTicket])
def test_a_damaged_item(kind: type[msgspec.Struct]) -> None:
    feed(kind.__name__, write_json(sample(kind)), lambda body: write_json(read_json(body, kind)))


IMAGE = write_image({"aeskey": "k", "cdnthumbaeskey": "k", "cdnthumburl": "u", "cdnmidimgurl": "u", "md5": "m"})
NOTICE = write_recall_notice(
    RecallNotice(
        message_id="29", text='"张三" 撤回了一条消息', session="wxid_x", old_message_id="1", new_message_id="30"
    )
)
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


def sent_again(xml: str) -> None:
    image = read_image(xml)
    if image is not None:
        assert image == read_image(write_image(image))


def noticed_again(xml: str) -> None:
    notice = read_recall_notice(xml)
    if notice is not None:
        write_recall_notice(notice)


def absorbed(text: str) -> None:
    jar = Jar().absorb("https://wx.qq.com/cgi-bin", (text, "a=1"), 1_700_000_000.0)
    jar.header("https://wx.qq.com/cgi-bin", 1_700_000_000.0)
    repr(jar)


@pytest.mark.parametrize(
    ("sample", "decode"),
    [
        pytest.param(IMAGE, read_xml, id="read_xml"),
        pytest.param(IMAGE, sent_again, id="read_image"),
        pytest.param(IMAGE, forward_image, id="forward_image"),
        pytest.param(NOTICE, noticed_again, id="read_recall_notice"),
        pytest.param("@abc:<br/>你好<br/>x", split_sender, id="split_sender"),
        pytest.param("a &amp;lt; &lt;b&gt; &#39;", lambda text: escape(unescape(text)), id="unescape"),
        pytest.param(f"wxsid=QQ+/=; Domain=.qq.com; Path=/; Max-Age=60; Expires={DATE}", absorbed, id="Set-Cookie"),
        pytest.param("wxsid=QQ+/=; wxuin=5", read_cookie_header, id="Cookie"),
        pytest.param(DATE, http_time, id="http_time"),
        pytest.param("Tue, 14-Nov-2023 22:13:20 +0800", http_time, id="http_time with a zone"),
        pytest.param("1_7|2_8|1000_9", read_sync_key, id="read_sync_key"),
        pytest.param("https://wx.qq.com:443/cgi-bin?ticket=x", lambda url: follow(url, None), id="follow"),
        pytest.param("http://127.0.0.1:8790", lambda url: choose(None, url), id="server"),
    ],
)
@pytest.mark.parametrize("turn", range(4))
def test_a_damaged_text(sample: str, decode: Callable[[str], object], turn: int) -> None:
    # Bytes that are no UTF-8 become half surrogate pairs, as JSON's escapes and a system's file names make them.
    feed(f"text {turn} {sample}", sample.encode(), lambda broken: decode(broken.decode("utf-8", "surrogateescape")))


def test_damaged_pictures() -> None:
    feed("image_type", b"\x89PNG\r\n\x1a\n", image_type)
