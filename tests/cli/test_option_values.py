"""The values of the options that every command takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.cli.option_values import OptionValues

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_given_options_become_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEBWX_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("WEBWX_ACCOUNT", "home")
    settings = OptionValues(account="work", proxy="http://p:1").settings()
    assert (settings.account, settings.proxy) == ("work", "http://p:1")
