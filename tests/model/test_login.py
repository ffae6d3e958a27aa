"""The login and the login code; their reprs show no secret."""

from __future__ import annotations

import re

import msgspec
import pytest
import segno
from tests.saved import LOGIN, SECRETS

from webwx.errors import NotLoggedIn
from webwx.model.login import Account, Login, QrCode
from webwx.protocol.hosts import choose

CODE = QrCode(url="https://login.weixin.qq.com/l/AbCdEfGhIj==")


class TestLogin:
    def test_has_the_uin_of_its_account(self) -> None:
        account = Account(id=LOGIN.account.id, nickname="小明", uin=1234567890, host="web")

        assert LOGIN.account == account
        assert LOGIN.account.id == "@00aa11bb22cc33dd"

    def test_without_a_uin_has_no_account(self) -> None:
        profile, hosts = choose("filehelper", None)
        blank = Login(profile_name=profile.name, server=None, hosts=hosts)

        assert blank.profile is profile
        assert repr(blank) == "Login(filehelper, blank)"
        with pytest.raises(NotLoggedIn):
            _ = blank.account

    def test_goes_through_json_unchanged(self) -> None:
        assert msgspec.json.decode(msgspec.json.encode(LOGIN), type=Login) == LOGIN

    def test_shows_no_key(self) -> None:
        assert repr(LOGIN) == "Login(web, logged in)"
        assert not [secret for secret in SECRETS if secret in f"{LOGIN!r}{LOGIN.credentials!r}{LOGIN.jar!r}"]


MATRIX = [[bool(module) for module in row] for row in segno.make(CODE.url, micro=False).matrix_iter(border=4)]


def modules(drawing: list[str], *, ink_is_dark: bool) -> list[list[bool]]:
    """Return which modules of a drawn QR code are dark."""
    rows = []
    for line in drawing:
        letters = re.sub(r"\x1b\[[0-9;]*m", "", line)
        rows += [[(letter in ink) is ink_is_dark for letter in letters] for ink in ("█▀", "█▄")]
    return rows[: len(MATRIX)]


class TestQrCode:
    def test_is_drawn_for_a_terminal_over_its_address(self) -> None:
        *drawing, address = str(CODE).splitlines()

        assert address == CODE.url
        assert len(drawing) >= 10
        assert "▄" in str(CODE)

    @pytest.mark.parametrize("inverted", [False, True])
    def test_is_black_on_white_or_inverted_whatever_the_terminals_own_colours_are(self, inverted: bool) -> None:
        *drawing, _ = CODE.text(inverted=inverted).split("\n")
        black, white = ("231", "16") if inverted else ("16", "231")
        for line in drawing:
            assert line.startswith(f"\x1b[38;5;{black};48;5;{white}m")
            assert line.endswith("\x1b[0m")
            assert line.count("\x1b") == 2
        assert modules(drawing, ink_is_dark=True) == MATRIX

    @pytest.mark.parametrize("inverted", [False, True])
    def test_without_colours_it_is_right_on_a_dark_terminal_or_inverted_on_a_light_one(self, inverted: bool) -> None:
        *drawing, address = CODE.text(colors=False, inverted=inverted).split("\n")
        assert address == CODE.url
        assert "\x1b" not in "".join(drawing)
        assert modules(drawing, ink_is_dark=inverted) == MATRIX

    def test_can_be_a_picture(self) -> None:
        assert CODE.svg().startswith("<svg")
        assert CODE.png().startswith(b"\x89PNG\r\n\x1a\n")

    def test_the_picture_holds_the_address(self) -> None:
        assert CODE.png() != QrCode(url=CODE.url.replace("A", "B")).png()

    def test_is_shown_by_str_and_not_by_repr(self) -> None:
        assert repr(CODE) == "QrCode(***)"
        assert repr([CODE]) == "[QrCode(***)]"
