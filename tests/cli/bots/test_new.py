"""`webwx new`: a folder whose tests pass at once, and whose bot runs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Shell

from webwx.cli.bots.new import LANGUAGES, contents_of

TESTS_OF_BOT = str(Path("tests", "test_bot.py"))
"""The file of tests in the folder of a new bot."""


def made(shell: Shell, folder: Path, *options: str) -> dict[str, Any]:
    done = shell.run("new", str(folder), *options, "--json")
    assert (done.code, done.stderr) == (0, "")
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("language", LANGUAGES)
def test_tests_of_a_new_bot_pass_at_once(shell: Shell, tmp_path: Path, language: str) -> None:
    made(shell, tmp_path / "mybot", "--lang", language)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("WEBWX_", "PYTEST_", "COV_"))}
    own |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "webwx.testing.plugin",
    }  # The default umask of most systems.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "mybot", env=own, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_new_bot_runs(me: Shell, tmp_path: Path) -> None:
    made(me, tmp_path / "my bot")
    with me.start("run", str(tmp_path / "my bot" / "bot.py")) as process:
        assert process.stdout.readline() == "my bot runs as 小明 (web) with 2 handlers.\n"
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_result_names_the_files(shell: Shell, tmp_path: Path) -> None:
    result = made(shell, tmp_path / "deep" / "mybot")
    folder = Path(result["folder"])
    assert folder == tmp_path / "deep" / "mybot"
    assert sorted(result["files"]) == [
        "README.md", "bot.py", "pyproject.toml", TESTS_OF_BOT, "webwx-mybot.service"
    ]  # fmt: skip
    assert all((folder / each).is_file() for each in result["files"])
    unit = (folder / "webwx-mybot.service").read_text(encoding="utf-8")
    assert f'"run" "{folder / "bot.py"}"' in unit
    assert "systemctl --user enable --now webwx-mybot" in unit


def test_folder_that_is_not_empty_is_refused_and_not_changed(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "mybot").mkdir()
    (tmp_path / "mybot" / "bot.py").write_text("mine", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for name in ("mybot", "file"):
        done = shell.run("new", str(tmp_path / name))
        assert (done.code, done.stdout) == (2, "")
        assert done.stderr == f"webwx: {tmp_path / name} exists and is not an empty folder; choose another name.\n"
    assert [each.name for each in (tmp_path / "mybot").iterdir()] == ["bot.py"]


def test_empty_folder_is_filled(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "mybot").mkdir()
    made(shell, tmp_path / "mybot")
    assert (tmp_path / "mybot" / "bot.py").is_file()


def test_folder_that_cannot_be_written_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = shell.run("new", str(tmp_path / "file" / "mybot"))
    assert (done.code, done.stderr.count("\n")) == (1, 1)
    assert "cannot be written: Not a directory." in done.stderr


@pytest.mark.parametrize("name", ["mybot", "My Bot!", "我的机器人", 'a "quoted" name'])
def test_any_name_of_a_folder_gives_valid_files(tmp_path: Path, name: str) -> None:
    contents = contents_of(tmp_path / name, "en")
    (bot,) = [
        node for node in ast.walk(ast.parse(contents["bot.py"])) if isinstance(node, ast.keyword) and node.arg == "name"
    ]
    assert isinstance(bot.value, ast.Constant)
    assert bot.value.value == name
    project = tomllib.loads(contents["pyproject.toml"])["project"]["name"]
    assert project.replace("-", "").isascii()
    assert f"webwx-{project}.service" in contents


def test_both_languages_have_the_same_program(tmp_path: Path) -> None:
    def skeleton(source: str) -> str:
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value = ""
        return ast.dump(tree)

    english, chinese = (contents_of(tmp_path / "mybot", each) for each in ("en", "zh"))
    for name in ("bot.py", TESTS_OF_BOT):
        assert skeleton(english[name]) == skeleton(chinese[name])
        assert english[name] != chinese[name]
