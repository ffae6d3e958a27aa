"""What the options that every command takes say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.cli.option_values import Given

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_is_given_are_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEBWX_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("WEBWX_ACCOUNT", "home")
    settings = Given(account="work", proxy="http://p:1").settings()
    assert (settings.account, settings.proxy) == ("work", "http://p:1")
