from __future__ import annotations

from typing import Any

import pytest

from webwx.errors import UnsafeRedirect
from webwx.protocol.contacts import WEBWXINIT
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import FAMILIES, follow
from webwx.protocol.http import Headers, Request
from webwx.protocol.login import JSLOGIN, LOGIN_POLL, QR_PICTURE
from webwx.protocol.media import GETMEDIA, UPLOAD
from webwx.protocol.sync import SYNCCHECK
from webwx.sandbox.hosts import (
    SERVED_HOSTS,
    api_origin,
    cookie_domains,
    family_of,
    is_foreign,
    is_helper,
    requested_host,
)

PLAIN = "http://127.0.0.1:8790"

OF_OLD = [
    "web1.wechat.com",
    "webpush1.wechat.com",
    "wechatapp.com",
    "file2.wx.qq.com",
    "webpush.weixin.qq.com",
    "webpush2.weixin.qq.com",
]
"""Names that only old code uses, and the host that the page polls when no row of its table matches."""


def test_the_sandbox_has_all_hosts_of_the_platform_and_no_other() -> None:
    web = ["wx.qq.com", "wx2.qq.com", "wx8.qq.com", "web.wechat.com", "web2.wechat.com"]
    helpers = ["filehelper.weixin.qq.com", "szfilehelper.weixin.qq.com", "cmfilehelper.weixin.qq.com"]
    parts = ["", "login.", "file.", "webpush."]
    today = {part + host for part in parts for host in web} | {*helpers, "login.weixin.qq.com"}
    assert today | set(OF_OLD) == SERVED_HOSTS


def test_no_login_of_webwx_leads_to_an_old_host() -> None:
    assert FAMILIES.keys().isdisjoint(OF_OLD)
    for host in OF_OLD:
        with pytest.raises(UnsafeRedirect):
            follow(f"https://{host}/", None)


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        (PLAIN, (("mmweb_appid", "wx_webfilehelper"),), True),
        (f"{PLAIN}/cgi-bin/mmwebwx-bin/synccheck?mmweb_appid=wx_webfilehelper", (), True),
        ("https://szfilehelper.weixin.qq.com/", (), True),
        ("https://wx2.qq.com/", (), False),
        (PLAIN, (("mmweb_appid", "another"),), False),
        (PLAIN, (), False),
    ],
)
def test_file_transfer_helper_is_recognised_by_its_field_or_its_host(
    url: str, headers: Headers, expected: bool
) -> None:
    assert is_helper(Request(endpoint="any", method="GET", url=url, headers=headers)) is expected


def test_a_plain_origin_belongs_to_no_family() -> None:
    assert family_of(PLAIN) is None
    assert family_of("https://wx2.qq.com") == FAMILIES["wx2.qq.com"]
    assert family_of("https://file.wx2.qq.com") is None


@pytest.mark.parametrize(
    ("endpoint", "origin", "expected"),
    [
        (WEBWXINIT, "https://wx2.qq.com", False),
        (SYNCCHECK, "https://webpush.wx2.qq.com", False),
        (UPLOAD, "https://file.wx2.qq.com", False),
        (GETMEDIA, "https://file.wx2.qq.com", False),
        (WEBWXINIT, "https://wx.qq.com", True),
        (WEBWXINIT, "https://webpush.wx2.qq.com", True),
        (SYNCCHECK, "https://wx2.qq.com", True),
        (SYNCCHECK, "https://webpush.wx.qq.com", True),
        (UPLOAD, "https://wx2.qq.com", True),
        (JSLOGIN, "https://login.weixin.qq.com", False),
        (LOGIN_POLL, "https://login.wx.qq.com", False),
        (QR_PICTURE, "https://login.weixin.qq.com", False),
    ],
)
def test_each_host_answers_its_own_calls_and_logins_are_answered_everywhere(
    endpoint: Endpoint[Any, Any], origin: str, expected: bool
) -> None:
    assert is_foreign(endpoint, FAMILIES["wx2.qq.com"], origin) is expected


@pytest.mark.parametrize(
    ("endpoint", "family", "origin", "expected"),
    [
        (WEBWXINIT, "web.wechat.com", "https://web1.wechat.com", False),
        (WEBWXINIT, "wx.qq.com", "https://wechatapp.com", False),
        (SYNCCHECK, "web.wechat.com", "https://webpush1.wechat.com", False),
        (SYNCCHECK, "wx.qq.com", "https://webpush.weixin.qq.com", False),
        (SYNCCHECK, "wx.qq.com", "https://webpush2.weixin.qq.com", False),
        (UPLOAD, "wx.qq.com", "https://file2.wx.qq.com", False),
        (SYNCCHECK, "wx2.qq.com", "https://webpush2.weixin.qq.com", True),
        (UPLOAD, "wx.qq.com", "https://webpush2.weixin.qq.com", True),
        (SYNCCHECK, "wx.qq.com", "http://webpush2.weixin.qq.com:8790", True),
    ],
)
def test_an_old_host_answers_like_its_successor(
    endpoint: Endpoint[Any, Any], family: str, origin: str, expected: bool
) -> None:
    assert is_foreign(endpoint, FAMILIES[family], origin) is expected


@pytest.mark.parametrize(("host", "today"), [("web1.wechat.com", "web.wechat.com"), ("wechatapp.com", "wx.qq.com")])
def test_a_login_on_an_old_host_ends_on_its_successor(host: str, today: str) -> None:
    assert family_of(f"https://{host}") == FAMILIES[today]
    assert requested_host(f"https://{host}/cgi-bin/mmwebwx-bin/webwxnewloginpage", "") == today


def test_file_transfer_helper_polls_its_entry_host_and_uploads_to_a_family() -> None:
    family = FAMILIES["szfilehelper.weixin.qq.com"]
    assert not is_foreign(SYNCCHECK, family, "https://szfilehelper.weixin.qq.com")
    assert not is_foreign(UPLOAD, family, "https://file.wx2.qq.com")
    assert is_foreign(UPLOAD, family, "https://szfilehelper.weixin.qq.com")


@pytest.mark.parametrize(
    ("redirect_uri", "appid", "expected"),
    [
        ("https://wx2.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage", "", "wx2.qq.com"),
        ("https://wx8.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage?mod=desktop", "", "wx8.qq.com"),
        ("https%3A%2F%2Fszfilehelper.weixin.qq.com%2F", "wx_webfilehelper", "szfilehelper.weixin.qq.com"),
        ("", "wx_webfilehelper", "filehelper.weixin.qq.com"),
        ("", "wx782c26e4c19acffb", "wx.qq.com"),
        ("https://evil.example/", "", "wx.qq.com"),
        ("https://[/", "", "wx.qq.com"),
    ],
)
def test_a_login_ends_on_the_requested_host_or_on_the_default_of_its_profile(
    redirect_uri: str, appid: str, expected: str
) -> None:
    assert requested_host(redirect_uri, appid) == expected


def test_the_api_is_on_the_requested_host_or_on_the_one_plain_origin() -> None:
    assert api_origin("https://login.weixin.qq.com", "wx2.qq.com") == "https://wx2.qq.com"
    assert api_origin(PLAIN, "wx2.qq.com") == PLAIN


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://wx2.qq.com", ("wx2.qq.com", ".qq.com")),
        ("https://web.wechat.com", ("web.wechat.com", ".wechat.com")),
        ("https://szfilehelper.weixin.qq.com", ("szfilehelper.weixin.qq.com", ".qq.com")),
        (PLAIN, ("", "")),
    ],
)
def test_cookies_belong_to_the_api_host_and_the_shared_one_to_its_parent(
    origin: str, expected: tuple[str, ...]
) -> None:
    assert cookie_domains(origin) == expected
