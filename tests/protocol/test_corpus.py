"""Every real answer, request, header and cookie decodes to the values in the index of the corpus."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.corpus import Payload, payloads, said_of

from webwx.protocol import ENDPOINTS
from webwx.protocol.cookies import Jar
from webwx.protocol.http import Headers, Request, Response

CALLS = {endpoint.name: endpoint for endpoint in ENDPOINTS}

CALL_OF = {
    "base-answer": "webwxstatusnotify",
    "jslogin": "jslogin",
    "login-poll": "login",
    "newloginpage": "webwxnewloginpage",
    "pushlogin": "webwxpushloginurl",
    "send-answer": "webwxsendmsg",
    "synccheck": "synccheck",
    "webwxbatchgetcontact": "webwxbatchgetcontact",
    "webwxcreatechatroom": "webwxcreatechatroom",
    "webwxgetcontact": "webwxgetcontact",
    "webwxinit": "webwxinit",
    "webwxrevokemsg": "webwxrevokemsg",
    "webwxuploadmedia": "webwxuploadmedia",
}
"""The call of an answer, by the name of its folder."""

BEFORE = 1_400_000_000.0
"""A time before any of these cookies expires."""


def fields_of(value: msgspec.Struct) -> dict[str, Any]:
    """Return a struct's fields by their wire names, and for raw lists the number of items."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(value):
        content = getattr(value, field.name)
        if isinstance(content, list) and all(isinstance(each, msgspec.Raw) for each in content):
            content = len(content)
        values[field.encode_name] = msgspec.to_builtins(content) if content is not msgspec.UNSET else None
    return values


@pytest.mark.parametrize("payload", payloads(*CALL_OF), ids=str)
def test_an_answer_has_the_values_of_the_index(payload: Payload) -> None:
    reply = CALLS[CALL_OF[payload.kind]].decode_reply(Response(body=payload.body))
    assert payload.expected == said_of(fields_of(reply), payload.expected)


@pytest.mark.parametrize("payload", payloads("request"), ids=str)
def test_a_request_of_the_page_is_decoded(payload: Payload) -> None:
    endpoint = CALLS[payload.expected["call"]]
    url, body = f"https://wx.qq.com{endpoint.path}", payload.body
    if payload.file.endswith(".txt"):
        line, _, text = payload.text.partition("\n")
        target, body = line.partition(" ")[2], text.encode()
        url = target if target.startswith("https:") else f"https://wx.qq.com{target}"
        assert endpoint.matches("POST", urlsplit(url).path)
    request = endpoint.decode_request(Request(endpoint=endpoint.name, method="POST", url=url, body=body))
    assert payload.expected == said_of({"call": endpoint.name} | fields_of(request), payload.expected)


def jar_of(url: str, set_cookies: tuple[str, ...]) -> list[list[Any]]:
    return [
        [cookie.name, cookie.domain, cookie.expires, cookie.secure]
        for cookie in Jar().updated(url, set_cookies, BEFORE).cookies
    ]


@pytest.mark.parametrize("payload", payloads("cookies"), ids=str)
def test_real_cookies_are_stored_until_they_expire(payload: Payload) -> None:
    set_cookies = tuple(payload.text.strip().splitlines())
    assert payload.expected == {"cookies": jar_of("https://wx2.qq.com/cgi-bin/mmwebwx-bin/webwxsync", set_cookies)}


@pytest.mark.parametrize("payload", payloads("http-headers"), ids=str)
def test_real_headers_are_decoded(payload: Payload) -> None:
    _, *lines = payload.text.strip().splitlines()
    headers: Headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
    response = Response(headers=headers)
    assert payload.expected == {
        "type": response.header("content-type"),
        "length": int(response.header("content-length")),
        "cookies": jar_of("https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxsync", response.header_values("set-cookie")),
    }


def test_every_folder_has_a_test() -> None:
    of_the_model = {"message", "webwxsync", "content-xml", "phone-xml", "contact"}
    tested = {*CALL_OF, *of_the_model, "request", "cookies", "http-headers"}
    assert tested == {payload.kind for payload in payloads(*tested)}
    assert len(payloads(*tested)) == 420
