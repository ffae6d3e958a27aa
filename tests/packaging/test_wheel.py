"""The built wheel, installed by pip in a bare environment outside the checkout, as by a user."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.verify, pytest.mark.timeout(600)]


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command without the checkout on its path."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("WEBWX_", "PYTHON", "VIRTUAL_ENV"))}
    environment = own | {"WEBWX_HOME": str(folder / "home"), "PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_wheel_has_the_types_and_the_licence_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "webwx/py.typed" in names
    assert {"webwx/sandbox/phone/static/index.html", "webwx/gateway/console/index.html", "webwx/web/dom.js"} <= {*names}
    assert {"webwx/cli/bots/templates/both/pyproject.toml.txt", "webwx/cli/bots/templates/zh/bot.py.txt"} <= {*names}
    assert "webwx/cli/locale/zh/LC_MESSAGES/webwx.mo" in names
    assert not any(name.endswith(".po") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"webwx"}


def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "webwx", "demo", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [step["step"] for step in steps] == ["login", "send_text", "mark_read", "recall", "forward_recalled_image"]
    assert all(step["ok"] is True for step in steps)


def test_the_first_program_of_a_user_imports(installed: Path, tmp_path: Path) -> None:
    program = "import webwx; [getattr(webwx, name) for name in webwx.__all__]; print(webwx.Client.__name__)"
    done = run(installed / "python", "-W", "error", "-c", program, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "Client"


def test_a_new_bot_is_made_by_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "webwx", "new", "mybot", "--lang", "zh", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    program = "import bot, sys; print(bot.bot.name)"
    done = run(installed / "python", "-W", "error", "-c", program, folder=tmp_path / "mybot")
    assert (done.returncode, done.stdout) == (0, "mybot\n"), done.stderr


def test_the_help_is_chinese_where_the_environment_asks_for_it(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run(installed / "webwx", "--help", folder=tmp_path).stdout.startswith("用法：")


def test_the_version_is_printed(installed: Path, wheel: Path, tmp_path: Path) -> None:
    done = run(installed / "webwx", "--version", folder=tmp_path)
    assert done.stdout.strip() == f"webwx {wheel.name.split('-')[1]}"
