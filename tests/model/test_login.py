"""Who is logged in, the code to scan, and that neither shows what must not be seen."""

from __future__ import annotations

import msgspec
import pytest
from tests.saved import LOGIN, SECRETS

from webwx.errors import LoggedOut
from webwx.model.login import Account, Login, QrCode
from webwx.protocol.hosts import choose

CODE = QrCode(url="https://login.weixin.qq.com/l/AbCdEfGhIj==")


class TestLogin:
    def test_knows_its_account(self) -> None:
        account = Account(id=LOGIN.account.id, nickname="小明", uin=1234567890, host="web")

        assert LOGIN.account == account
        assert LOGIN.account.id == "@00aa11bb22cc33dd"

    def test_a_blank_one_has_none(self) -> None:
        profile, hosts = choose("filehelper", None)
        blank = Login(profile_name=profile.name, server=None, hosts=hosts)

        assert blank.profile is profile
        assert repr(blank) == "Login(filehelper, blank)"
        with pytest.raises(LoggedOut) as caught:
            _ = blank.account
        assert caught.value.reason == "absent"

    def test_goes_through_json_unchanged(self) -> None:
        assert msgspec.json.decode(msgspec.json.encode(LOGIN), type=Login) == LOGIN

    def test_shows_no_key(self) -> None:
        assert repr(LOGIN) == "Login(web, logged in)"
        assert not [secret for secret in SECRETS if secret in f"{LOGIN!r}{LOGIN.credentials!r}{LOGIN.jar!r}"]


class TestQrCode:
    def test_is_drawn_for_a_terminal_over_its_address(self) -> None:
        *drawing, address = str(CODE).splitlines()

        assert address == CODE.url
        assert len(drawing) >= 10
        assert "▄" in str(CODE)

    def test_can_be_a_picture(self) -> None:
        assert CODE.svg().startswith("<svg")
        assert CODE.png().startswith(b"\x89PNG\r\n\x1a\n")

    def test_the_picture_holds_the_address(self) -> None:
        assert CODE.png() != QrCode(url=CODE.url.replace("A", "B")).png()

    def test_shows_itself_only_when_asked(self) -> None:
        assert repr(CODE) == "QrCode(***)"
        assert repr([CODE]) == "[QrCode(***)]"
