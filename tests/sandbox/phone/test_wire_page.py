"""The table of the wire as a page."""

from __future__ import annotations

import re

from tests.sandbox.conftest import answered

from webwx.protocol import ENDPOINTS
from webwx.protocol.http import Request
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.phone.wire_page import wire_page


def test_every_call_has_an_anchor_and_every_link_has_a_target() -> None:
    page = wire_page().decode()
    places = re.findall(r'id="([^"]+)"', page)
    assert {endpoint.name for endpoint in ENDPOINTS} <= {*places}
    assert len(places) == len({*places})
    assert {*re.findall(r'href="#([^"]+)"', page)} <= {*places}


def test_the_page_has_no_script_and_loads_nothing_from_another_host() -> None:
    page = wire_page().decode()
    assert all(address.startswith(("static/", "#")) for address in re.findall(r'(?:href|src)="([^"]+)"', page))
    assert "<script" not in page
    assert "/qrcode/{uuid}" in page


def test_a_browser_that_asks_for_chinese_gets_chinese_texts(sandbox: SandboxCore) -> None:
    def load(*headers: tuple[str, str]) -> str:
        request = Request(endpoint="any", method="GET", url="http://127.0.0.1:8790/phone/wire", headers=headers)
        return answered(sandbox, request).body.decode()

    assert wire_page().decode() == load(("Accept-Language", "en-US,zh;q=0.5"))
    page = load(("Accept-Language", "zh-CN,zh;q=0.9"))
    assert '<html lang="zh-CN">' in page
    assert "<h1>报文</h1>" in page
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["接口", "结构"]
