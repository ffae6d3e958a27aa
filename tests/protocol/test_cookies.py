"""The cookie jar: which cookies a request has, and when they expire."""

from __future__ import annotations

import pytest

from webwx.protocol.cookies import (
    MAX_COOKIE,
    MAX_COOKIES,
    MAX_HEADER,
    MAX_OF_DOMAIN,
    Carried,
    Cookie,
    Jar,
    parse_cookie,
    read_cookie_header,
)

NOW = 1_700_000_000.0
MAIN = "https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxinit"
FILE = "https://file.wx.qq.com/cgi-bin/mmwebwx-bin/webwxuploadmedia"
PUSH = "https://webpush.wx.qq.com/cgi-bin/mmwebwx-bin/synccheck"
SERVER = "http://127.0.0.1:8790/cgi-bin/mmwebwx-bin/webwxinit"


def jar_of(*set_cookies: str, url: str = MAIN) -> Jar:
    return Jar().updated(url, set_cookies, NOW)


class TestEqualNamesOnSeveralDomains:
    SET = (
        (MAIN, "webwx_data_ticket=all; Domain=.wx.qq.com"),
        (FILE, "webwx_data_ticket=file"),
        (MAIN, "webwx_data_ticket=main"),
    )

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    def test_each_host_gets_its_own_value_in_any_order(self, order: tuple[int, ...]) -> None:
        jar = Jar()
        for index in order:
            url, text = self.SET[index]
            jar = jar.updated(url, (text,), NOW)
        assert [jar.value("webwx_data_ticket", url, NOW) for url in (MAIN, FILE, PUSH)] == ["main", "file", "all"]

    def test_the_most_specific_value_is_first_in_the_header(self) -> None:
        jar = Jar()
        for url, text in self.SET:
            jar = jar.updated(url, (text,), NOW)
        assert jar.header(FILE, NOW) == "webwx_data_ticket=file; webwx_data_ticket=all"

    def test_a_later_cookie_replaces_only_the_one_of_its_own_domain(self) -> None:
        jar = jar_of("a=1; Domain=wx.qq.com", "a=2").updated(MAIN, ("a=3",), NOW)
        assert jar.header(MAIN, NOW) == "a=3; a=1"


class TestWhereACookieGoes:
    def test_a_cookie_without_a_domain_is_sent_to_its_host_only(self) -> None:
        jar = jar_of("wxsid=x")
        assert jar.header(MAIN, NOW) == "wxsid=x"
        assert jar.header(FILE, NOW) == ""

    @pytest.mark.parametrize("domain", [".qq.com", "qq.com", "WX.QQ.COM"])
    def test_a_cookie_with_a_domain_is_sent_to_its_subdomains(self, domain: str) -> None:
        jar = jar_of(f"webwx_data_ticket=x; Domain={domain}; Path=/")
        assert jar.header(FILE, NOW) == "webwx_data_ticket=x"

    def test_a_host_name_with_the_same_ending_gets_no_cookie(self) -> None:
        jar = jar_of("wxsid=x; Domain=wx.qq.com")
        assert jar.header("https://evilwx.qq.com/", NOW) == ""

    @pytest.mark.parametrize("domain", ["evil.example", "wx2.qq.com", "file.wx.qq.com", "com", "q.com"])
    def test_a_cookie_for_a_foreign_domain_is_dropped(self, domain: str) -> None:
        assert jar_of(f"wxsid=x; Domain={domain}") == Jar()

    @pytest.mark.parametrize(
        ("path", "goes"),
        [
            ("/cgi-bin", True),
            ("/cgi-bin/", True),
            ("/cgi-bin/mmwebwx-bin/webwxinit", True),
            ("/cgi-bin/mmwebwx-bin/webwxinit/x", False),
            ("/cgi", False),
            ("/other", False),
            ("relative", True),
        ],
    )
    def test_a_cookie_is_sent_to_its_path_and_below(self, path: str, goes: bool) -> None:
        assert jar_of(f"a=1; Path={path}").header(MAIN, NOW) == ("a=1" if goes else "")

    def test_longer_paths_are_first(self) -> None:
        assert jar_of("a=1; Path=/", "b=2; Path=/cgi-bin").header(MAIN, NOW) == "b=2; a=1"

    def test_an_address_without_a_path_has_the_root_path(self) -> None:
        assert jar_of("a=1").header("https://wx.qq.com", NOW) == "a=1"

    def test_a_secure_cookie_is_never_sent_over_plain_http(self) -> None:
        jar = jar_of("a=1; Secure")
        assert jar.header(MAIN, NOW) == "a=1"
        assert jar.header(MAIN.replace("https", "http"), NOW) == ""


class TestHowLongACookieLives:
    @pytest.mark.parametrize(
        ("attributes", "expires"),
        [
            ("", None),
            ("; Max-Age=60", NOW + 60),
            ("; Expires=Tue, 14 Nov 2023 22:14:20 GMT", NOW + 60),
            ("; Max-Age=5; Expires=Tue, 14 Nov 2023 22:14:20 GMT", NOW + 5),
            ("; Max-Age=soon; Expires=never", None),
            ("; Max-Age=--5", None),
            pytest.param("; Max-Age=" + "9" * 400, None, id="more seconds than a float holds"),
        ],
    )
    def test_max_age_precedes_expires_and_an_invalid_value_lasts_for_the_login(
        self, attributes: str, expires: float | None
    ) -> None:
        [cookie] = jar_of(f"a=1{attributes}").cookies
        assert cookie.expires == expires

    def test_a_cookie_is_sent_until_it_expires(self) -> None:
        jar = jar_of("a=1; Max-Age=60")
        assert jar.header(MAIN, NOW + 59) == "a=1"
        assert jar.header(MAIN, NOW + 60) == ""

    @pytest.mark.parametrize("attributes", ["Max-Age=0", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
    def test_an_expired_cookie_deletes_the_stored_one(self, attributes: str) -> None:
        assert jar_of("a=1").updated(MAIN, (f"a=; {attributes}",), NOW) == Jar()

    def test_expired_cookies_are_deleted_when_others_arrive(self) -> None:
        jar = jar_of("a=1; Max-Age=60").updated(MAIN, ("b=2",), NOW + 61)
        assert [cookie.name for cookie in jar.cookies] == ["b"]

    def test_a_cookie_expires_by_the_clock_of_its_server(self) -> None:
        expires = "a=1; Expires=Tue, 14 Nov 2023 22:14:20 GMT"  # A minute after NOW.
        jar = Jar().updated(MAIN, (expires, "b=2; Max-Age=60"), NOW - 1_000, ahead=1_000)
        assert {cookie.name: cookie.expires for cookie in jar.cookies} == {"a": NOW - 940, "b": NOW - 940}

    def test_a_date_of_the_server_that_is_wrong_deletes_no_cookie(self) -> None:
        expires = "a=2; Expires=Tue, 14 Nov 2023 22:14:20 GMT"  # A minute after NOW.
        jar = jar_of("a=1").updated(MAIN, (expires,), NOW, ahead=86_400)
        assert jar.header(MAIN, NOW + 59) == "a=2"
        past = jar.updated(MAIN, ("a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",), NOW, ahead=86_400)
        assert past == Jar()

    def test_a_jump_of_the_clock_does_not_shorten_its_life(self) -> None:
        jar = jar_of("a=1; Max-Age=60", "b=2").aged(1_000)
        assert jar.header(MAIN, NOW + 1_059) == "a=1; b=2"
        assert jar.header(MAIN, NOW + 1_060) == "b=2"


class TestAJarIsBounded:
    SESSION = ("wxuin=1; Domain=wx.qq.com", "wxsid=x; Domain=wx.qq.com", "webwx_data_ticket=y; Domain=.qq.com")

    def test_a_cookie_that_is_too_large_is_dropped(self) -> None:
        fits = "a=" + "x" * (MAX_COOKIE - len("a=;Path=/")) + ";Path=/"
        assert [len(cookie.name) for cookie in jar_of(fits, "b" + fits).cookies] == [1]

    def test_many_cookies_do_not_replace_those_of_the_login(self) -> None:
        jar = jar_of(*self.SESSION)
        for number in range(101):
            path = "/cgi-bin/mmwebwx-bin" if number % 2 else "/"
            flood = [f"c{number}_{each}={'x' * 4_000}; Path={path}; Domain=.qq.com" for each in range(10)]
            jar = jar.updated(MAIN, tuple(flood), NOW)
        sent = jar.header(MAIN, NOW)

        assert len(jar.cookies) == len(self.SESSION) - 1 + MAX_OF_DOMAIN
        assert len(sent) <= MAX_HEADER
        assert all(part in sent.split("; ") for part in ("wxuin=1", "wxsid=x", "webwx_data_ticket=y"))

    def test_a_full_domain_accepts_new_values_of_its_cookies_only(self) -> None:
        jar = jar_of(*(f"c{number}=1" for number in range(MAX_OF_DOMAIN + 1))).updated(MAIN, ("c49=2", "c50=2"), NOW)
        assert len(jar.cookies) == MAX_OF_DOMAIN
        assert jar.header(MAIN, NOW).endswith("c48=1; c49=2")

    def test_expired_cookies_do_not_count(self) -> None:
        jar = jar_of(*(f"c{number}=1; Max-Age=60" for number in range(MAX_OF_DOMAIN)))
        jar = jar.updated(MAIN, ("new=1",), NOW + 61)
        assert [cookie.name for cookie in jar.cookies] == ["new"]

    def test_all_domains_together_have_a_limit(self) -> None:
        jar = Jar()
        for number in range(20):
            url = f"https://host{number}.qq.com/"
            jar = jar.updated(url, tuple(f"c{each}=1" for each in range(MAX_OF_DOMAIN)), NOW)
        assert len(jar.cookies) == MAX_COOKIES

    def test_merging_the_jars_of_two_processes_keeps_the_limit(self) -> None:
        one, other = (jar_of(*(f"{kind}{number}=1" for number in range(MAX_OF_DOMAIN))) for kind in "ab")
        assert len(one.rebased(Jar(), other).cookies) == MAX_OF_DOMAIN

    def test_the_jar_of_an_older_version_is_limited(self) -> None:
        large = tuple(Cookie(name=f"c{number}", value="x" * 4_000, domain="wx.qq.com") for number in range(1_000))
        assert len(Jar(large).header(MAIN, NOW)) <= MAX_HEADER


class TestOneOrigin:
    def test_cookies_of_a_given_server_belong_to_it_despite_their_domain(self) -> None:
        jar = Jar().updated(SERVER, ("wxsid=x; Domain=.qq.com; Secure",), NOW, one_origin=True)
        assert jar.header(SERVER, NOW) == "wxsid=x"

    def test_cookies_of_a_given_server_are_sent_to_no_other(self) -> None:
        jar = Jar().updated(SERVER, ("wxsid=x; Domain=.qq.com",), NOW, one_origin=True)
        assert jar.header(MAIN, NOW) == ""


class TestReading:
    @pytest.mark.parametrize("broken", ["", "no equals", "=nameless", "; Path=/"])
    def test_an_invalid_cookie_is_ignored_and_the_others_are_stored(self, broken: str) -> None:
        assert jar_of(broken, "a=1").header(MAIN, NOW) == "a=1"

    def test_a_value_keeps_its_equals_signs_without_surrounding_blanks(self) -> None:
        cookie = parse_cookie(" wxsid = QQ+x/y== ; path=/", "wx.qq.com", NOW, one_origin=False)
        assert cookie == Cookie(name="wxsid", value="QQ+x/y==", domain="wx.qq.com")

    def test_the_value_of_an_absent_cookie_is_empty(self) -> None:
        assert jar_of("a=1").value("b", MAIN, NOW) == ""
        assert Jar().value("a", MAIN, NOW) == ""

    def test_an_answer_without_cookies_returns_the_same_jar(self) -> None:
        jar = jar_of("a=1")
        assert jar.updated(MAIN, (), NOW) is jar

    def test_the_first_of_two_equal_names_in_a_cookie_header_counts(self) -> None:
        assert read_cookie_header("wxsid=a=b; wxuin=1; wxsid=c; junk; =") == {"wxsid": "a=b", "wxuin": "1", "": ""}


def test_the_repr_of_a_cookie_and_a_jar_shows_names_and_no_values() -> None:
    jar = jar_of("wxsid=secret", "wxuin=secret")
    assert repr(jar) == "Jar(wxsid, wxuin)"
    assert repr(jar.cookies[0]) == "Cookie(wxsid, wx.qq.com)"


def test_merging_keeps_the_cookies_of_two_processes() -> None:
    url = "https://wx2.qq.com/"
    before = Jar().updated(url, ("same=0", "changed=0", "gone=0", "theirs=0"), 0)
    ours = before.updated(url, ("changed=1", "gone=; Max-Age=0", "new=1"), 0)
    onto = before.updated(url, ("theirs=2", "more=2"), 0)

    assert {cookie.name: cookie.value for cookie in ours.rebased(before, onto).cookies} == {
        "same": "0", "changed": "1", "theirs": "2", "more": "2", "new": "1",
    }  # fmt: skip


def test_a_header_is_cached_until_a_cookie_expires() -> None:
    jar = Jar((
        Cookie(name="a", value="1", domain="wx.qq.com"),
        Cookie(name="b", value="2", domain="wx.qq.com", expires=200.0),
        Cookie(name="c", value="3", domain="file.wx.qq.com"),
    ))  # fmt: skip
    carried, own = Carried(jar, (("Accept", "*/*"),)), (("Content-Type", "text/plain"),)
    for url, now in [
        ("https://wx.qq.com/a?x=1", 100.0),
        ("https://wx.qq.com/a?x=2", 199.0),
        ("https://file.wx.qq.com/a", 199.0),
        ("https://wx.qq.com/a", 200.0),
        ("https://wx.qq.com/a", 150.0),
    ]:
        assert carried.to(url, own, now) == (*own, ("Accept", "*/*"), ("Cookie", jar.header(url, now)))
    assert carried.to("https://wx.qq.com/a?x=1", own, 150.0) is carried.to("https://wx.qq.com/a?x=1", own, 160.0)
    assert (
        carried.to("https://wx.qq.com/a?x=1", own, 150.0)[-1] is carried.to("https://wx.qq.com/a?x=2", own, 160.0)[-1]
    )
    assert carried.to("https://wx.qq.com/a", (), 150.0) == (("Accept", "*/*"), ("Cookie", "a=1; b=2"))
    assert carried.to("https://login.wx.qq.com/", own, 150.0) == (*own, ("Accept", "*/*"))
