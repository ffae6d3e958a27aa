"""Host families, profiles, and the hosts that a login may be redirected to."""

from __future__ import annotations

import pytest

from webwx.errors import InvalidSettings, NotOnThisHost, UnsafeRedirect
from webwx.protocol.hosts import (
    DESKTOP,
    FAMILIES,
    FILEHELPER,
    QR_ORIGIN,
    WEB,
    Desktop,
    Host,
    Profile,
    check_proxy,
    choose,
    families,
    follow,
    host_name,
    is_this_machine,
    single,
)

SERVER = "http://127.0.0.1:8790"


class TestTheFamilyOfAHost:
    @pytest.mark.parametrize(
        ("main", "login", "file", "push"),
        [
            ("wx.qq.com", "login.wx.qq.com", "file.wx.qq.com", "webpush.wx.qq.com"),
            ("wx2.qq.com", "login.wx2.qq.com", "file.wx2.qq.com", "webpush.wx2.qq.com"),
            ("wx8.qq.com", "login.wx8.qq.com", "file.wx8.qq.com", "webpush.wx8.qq.com"),
            ("web.wechat.com", "login.web.wechat.com", "file.web.wechat.com", "webpush.web.wechat.com"),
            ("web2.wechat.com", "login.web2.wechat.com", "file.web2.wechat.com", "webpush.web2.wechat.com"),
            ("filehelper.weixin.qq.com", "login.wx.qq.com", "file.wx.qq.com", "filehelper.weixin.qq.com"),
            ("szfilehelper.weixin.qq.com", "login.wx2.qq.com", "file.wx2.qq.com", "szfilehelper.weixin.qq.com"),
            ("cmfilehelper.weixin.qq.com", "login.wx8.qq.com", "file.wx8.qq.com", "cmfilehelper.weixin.qq.com"),
        ],
    )
    def test_the_redirect_determines_every_host(self, main: str, login: str, file: str, push: str) -> None:
        hosts = follow(f"https://{main}/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=x", None)
        origins = [hosts.origin(host) for host in (Host.MAIN, Host.LOGIN, Host.FILE, Host.PUSH, Host.QR)]
        assert origins == [f"https://{main}", f"https://{login}", f"https://{file}", f"https://{push}", QR_ORIGIN]

    def test_the_table_holds_no_other_host(self) -> None:
        assert len(FAMILIES) == 8

    def test_the_error_for_an_unknown_host_explains_how_to_allow_it(self) -> None:
        with pytest.raises(UnsafeRedirect, match=r"'wx9\.qq\.com'.*add it to allowed_hosts"):
            follow("https://wx9.qq.com/cgi-bin", None)

    @pytest.mark.parametrize(
        ("host", "origins"),
        [
            ("wx9.qq.com", ["wx9.qq.com", "login.wx9.qq.com", "file.wx9.qq.com", "webpush.wx9.qq.com"]),
            ("gzfilehelper.weixin.qq.com",
             ["gzfilehelper.weixin.qq.com", "login.wx.qq.com", "file.wx.qq.com", "gzfilehelper.weixin.qq.com"]),
        ],
    )  # fmt: skip
    def test_an_allowed_host_has_its_family_by_the_same_rule(self, host: str, origins: list[str]) -> None:
        hosts = follow(f"https://{host}/cgi-bin?ticket=x", None, (host,))

        assert [f"https://{each}" for each in origins] == [hosts.main, hosts.login, hosts.file, hosts.push]
        assert choose(host, None, (host,))[1] == hosts

    def test_allowing_a_known_host_changes_nothing(self) -> None:
        assert families(("filehelper.weixin.qq.com",)) == FAMILIES

    @pytest.mark.parametrize(
        "host", ["", "localhost", "https://wx9.qq.com", "wx9.qq.com:444", "WX9.qq.com", "a..b", "*.qq.com"]
    )
    def test_only_a_plain_host_name_can_be_allowed(self, host: str) -> None:
        with pytest.raises(NotOnThisHost, match="allowed_hosts"):
            choose(None, None, (host,))


HOSTILE = [
    "https://evil.example/?x=wx2.qq.com",
    "https://evil.example/wx2.qq.com/",
    "https://wx2.qq.com.evil.example/",
    "https://evilwx2.qq.com/",
    "https://wx9.qq.com/",
    "http://wx.qq.com/",
    "ftp://wx.qq.com/",
    "//wx.qq.com/",
    "wx.qq.com",
    "",
    "https:///cgi-bin",
    "https://wx.qq.com@evil.example/",
    "https://user:password@wx.qq.com/",
    "https://@wx.qq.com/",
    "https://evil.example\\@wx.qq.com/",
    "https://wx.qq.com\\.evil.example/",
    "https://wx.qq.com:444/",
    "https://wx.qq.com:99999/",
    "https://wx.qq.com:x/",
    "https://wx.qq.com./",
    "https://ԝx.qq.com/",
    "https://wx。qq。com/",
    "https://wx.qq.com%00.evil.example/",
    "https://wx.qq.com\t.evil.example/",
    "https://[::1]/",
    "https://[wx.qq.com/",
    "https://127.0.0.1/",
    "javascript:alert(1)",
]


class TestWhoALoginIsSentOnTo:
    @pytest.mark.parametrize("server", [None, SERVER], ids=["on the platform", "with a server"])
    @pytest.mark.parametrize("redirect", HOSTILE)
    def test_a_hostile_redirect_is_refused(self, redirect: str, server: str | None) -> None:
        with pytest.raises(UnsafeRedirect) as refused:
            follow(redirect, server)
        assert "nothing was sent there" in str(refused.value)

    def test_the_error_names_the_host_and_no_query(self) -> None:
        with pytest.raises(UnsafeRedirect) as refused:
            follow("https://user:password@evil.example/x?ticket=secret", None)
        assert "evil.example" in str(refused.value)
        for secret in ("ticket", "secret", "password"):
            assert secret not in str(refused.value)

    @pytest.mark.parametrize("redirect", ["https://wx.qq.com", "https://WX.qq.com:443/x"])
    def test_other_spellings_of_a_real_host_are_accepted(self, redirect: str) -> None:
        assert follow(redirect, None) is FAMILIES["wx.qq.com"]

    @pytest.mark.parametrize("redirect", [f"{SERVER}/cgi-bin?ticket=x", "https://wx2.qq.com/cgi-bin?ticket=x"])
    def test_with_a_server_its_own_origin_and_real_hosts_lead_to_the_server(self, redirect: str) -> None:
        assert follow(redirect, SERVER) == single(SERVER)

    @pytest.mark.parametrize(
        "redirect", ["http://127.0.0.1:8791/", "http://localhost:8790/", "https://127.0.0.1:8790/"]
    )
    def test_another_origin_on_the_same_machine_is_not_the_server(self, redirect: str) -> None:
        with pytest.raises(UnsafeRedirect):
            follow(redirect, SERVER)

    def test_the_servers_own_origin_is_accepted_only_if_it_was_given(self) -> None:
        with pytest.raises(UnsafeRedirect):
            follow(f"{SERVER}/cgi-bin", None)


class TestWhereALoginStarts:
    @pytest.mark.parametrize(
        ("host", "profile", "main"),
        [
            (None, FILEHELPER, "filehelper.weixin.qq.com"),
            ("filehelper", FILEHELPER, "filehelper.weixin.qq.com"),
            ("web", WEB, "wx.qq.com"),
            ("desktop", DESKTOP, "wx.qq.com"),
            ("wx2.qq.com", WEB, "wx2.qq.com"),
            ("szfilehelper.weixin.qq.com", FILEHELPER, "szfilehelper.weixin.qq.com"),
        ],
    )
    def test_a_profile_or_a_host_determines_both(self, host: str | None, profile: Profile, main: str) -> None:
        assert choose(host, None) == (profile, FAMILIES[main])

    def test_a_server_serves_every_host_and_defaults_to_the_web_profile(self) -> None:
        profile, hosts = choose(None, SERVER + "/")
        assert profile is WEB
        assert {SERVER} == {hosts.origin(host) for host in Host}
        assert choose("filehelper", SERVER)[0] is FILEHELPER

    def test_an_unknown_host_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(NotOnThisHost, match=r"evil\.example.*filehelper, web, desktop, wx\.qq\.com"):
            choose("evil.example", None)

    @pytest.mark.parametrize(
        ("address", "mistake"),
        [
            ("127.0.0.1:8790", "has no http:// or https:// in front"),
            ("localhost:8790", "has no http:// or https:// in front"),
            ("example.org", "has no http:// or https:// in front"),
            ("", "has no http:// or https:// in front"),
            ("socks5://127.0.0.1:1080", "begins with neither http:// nor https://"),
            ("http://127.0.0.1:8790/phone", "has a path or a query, and only host and port are allowed"),
            ("http://127.0.0.1:8790/?sid=geheim", "has a path or a query, and only host and port are allowed"),
            ("http://", "has no host or no valid port"),
            ("http://127.0.0.1:port", "has no host or no valid port"),
            ("http://127.0.0.1:0", "has no host or no valid port"),
        ],
    )
    def test_an_invalid_address_is_explained(self, address: str, mistake: str) -> None:
        with pytest.raises(NotOnThisHost) as server:
            single(address)
        assert (
            str(server.value) == f"The server's address is invalid: it {mistake}; write one like http://127.0.0.1:8790."
        )
        with pytest.raises(InvalidSettings) as proxy:
            check_proxy(address)
        assert (
            str(proxy.value) == f"The proxy's address is invalid: it {mistake}; write one like http://127.0.0.1:8080."
        )

    @pytest.mark.parametrize("address", ["http://127.0.0.1:3128", "HTTPS://me:pass@proxy.example", "http://[::1]:1/"])
    def test_the_address_of_a_proxy_may_hold_credentials(self, address: str) -> None:
        check_proxy(address)

    def test_the_address_of_a_server_may_not_hold_credentials(self) -> None:
        with pytest.raises(NotOnThisHost, match=r"holds credentials, which are not sent; write one like"):
            single("http://me:geheim@127.0.0.1:8790")

    @pytest.mark.parametrize(
        "server",
        [
            "", "127.0.0.1:8790", "ftp://127.0.0.1", "http://", "http://127.0.0.1:8790/path", "http://127.0.0.1/?a=1",
            "http://127.0.0.1/#a", "http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:0", "http://127.0.0.1:port",
            "http://user:password@127.0.0.1",
        ],
    )  # fmt: skip
    def test_a_server_that_is_not_an_origin_is_refused(self, server: str) -> None:
        with pytest.raises(NotOnThisHost, match=r"http://127\.0\.0\.1:8790") as refused:
            single(server)
        assert "password" not in str(refused.value)


def test_the_repr_of_desktop_values_shows_none_of_them() -> None:
    assert repr(Desktop(client_version="2.0.0", extspam="opaque")) == "Desktop(2.0.0)"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("192.168.0.2", False), ("127.0.0.1.example", False)],
)
def test_this_machine_is_localhost_and_every_loopback_address(host: str, expected: bool) -> None:
    assert expected is is_this_machine(host)


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("localhost", "localhost"), ("LOCALHOST:8790", "localhost"), ("wx.example.org:443", "wx.example.org"),
        ("127.0.0.1:1", "127.0.0.1"), ("[::1]", "::1"), ("[::1]:8791", "::1"),
        ("xn--wx-0ka.example", "xn--wx-0ka.example"),
    ],
)  # fmt: skip
def test_the_name_of_a_host_header_is_without_its_port(authority: str, name: str) -> None:
    assert name == host_name(authority)


@pytest.mark.parametrize(
    "authority",
    [
        "", "[::1]evil", "[::1].evil.example", "[::1]:evil", "[::1", "::1", "[::1%25lo]", "evil@127.0.0.1",
        "127.0.0.1:80:80", "127.0.0.1:\u00b2", "127.0.0.1:", "127.0.0.1/", "127.0.0.1#", "127.0.0.1\\evil", "a b",
        "127.0.0.1\n", "[evil]",
    ],
)  # fmt: skip
def test_a_host_header_of_another_form_names_no_host(authority: str) -> None:
    assert host_name(authority) == ""
