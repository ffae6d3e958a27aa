"""The command that adds an extra to an installation."""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution
from typing import TYPE_CHECKING

import pytest

from webwx.installation import install_command, requirement

if TYPE_CHECKING:
    from pathlib import Path


class Installed(Distribution):
    """An installed package with this `direct_url.json`."""

    def __init__(self, origin: str | None) -> None:
        self._origin = origin

    def read_text(self, filename: str) -> str | None:
        return self._origin if filename == "direct_url.json" else None

    def locate_file(self, path: object) -> Path:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        ({"url": "file:///src/web%20wx", "dir_info": {}}, "pip install '/src/web wx[metrics]'"),
        (
            {"url": "file:///dist/webwx-0.1.0-py3-none-any.whl", "archive_info": {}},
            "pip install '/dist/webwx-0.1.0-py3-none-any.whl[metrics]'",
        ),
        (
            {"url": "https://example.org/webwx.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
            "pip install 'webwx[metrics] @ git+https://example.org/webwx.git'",
        ),
        (
            {"url": "https://example.org/webwx.whl", "archive_info": {}},
            "pip install 'webwx[metrics] @ https://example.org/webwx.whl'",
        ),
        (None, "pip install 'PATH[metrics]', where PATH is the checkout or the wheel of webwx"),
    ],
)
def test_an_extra_is_installed_from_where_the_package_came(
    origin: dict[str, object] | None, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Installed(json.dumps(origin) if origin else None)
    monkeypatch.setattr(Distribution, "from_name", lambda name: installed)
    assert install_command("metrics") == command


def test_in_the_environment_of_a_checkout_make_adds_the_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Makefile").touch()
    installed = Installed(json.dumps({"url": tmp_path.as_uri(), "dir_info": {"editable": True}}))
    monkeypatch.setattr(Distribution, "from_name", lambda name: installed)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert install_command("metrics") == f"make -C {tmp_path} extras"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ({"url": "file:///src/webwx", "dir_info": {}}, "webwx @ file:///src/webwx"),
        (
            {"url": "https://example.org/webwx.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
            "webwx @ git+https://example.org/webwx.git",
        ),
        (None, "webwx"),
    ],
)
def test_another_project_requires_webwx_from_where_it_came(
    origin: dict[str, object] | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Installed(json.dumps(origin) if origin else None)
    monkeypatch.setattr(Distribution, "from_name", lambda name: installed)
    assert requirement() == expected
