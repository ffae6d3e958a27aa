"""`webwx completion`: the words that a shell offers for Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Shell


def complete(shell: Shell, line: str) -> list[str]:
    """Return the words that bash offers for the last word of a line."""
    words = line.split(" ")
    done = shell.run(COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), _WEBWX_COMPLETE="bash_complete")
    assert (done.code, done.stderr) == (0, "")
    return [offer.partition(",")[2] for offer in done.stdout.split()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("webwx lo", ["login", "logout"]),
        ("webwx --acc", ["--account"]),
        ("webwx phone sca", ["scan"]),
        ("webwx config ", ["path", "show"]),
        ("webwx completion z", ["zsh"]),
        ("webwx send --im", ["--image"]),
        ("webwx journal p", ["purge"]),
        ("webwx outbox --state unk", ["unknown"]),
        ("webwx help exit", ["exit-codes"]),
        ("webwx help rec", ["receive", "recall", "recalled"]),
        ("webwx help journal d", ["dead"]),
        ("webwx help sned d", []),
        ("webwx sned ", []),
    ],
)
def test_commands_and_options_are_completed(shell: Shell, line: str, offered: list[str]) -> None:
    found = complete(shell, line)
    assert found == offered if offered else "--image" not in found


def test_completion_works_although_the_login_cannot_be_decrypted(shell: Shell) -> None:
    shell.environment |= {
        "WEBWX_PASSPHRASE_FROM": "keyring", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }  # fmt: skip
    assert complete(shell, "webwx send ") == ["filehelper", "文件传输助手"]


def test_bash_accepts_the_script(shell: Shell) -> None:
    typed = 'eval "$(webwx completion bash)"; COMP_WORDS=(webwx sta); COMP_CWORD=1; _webwx_completion webwx; '
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", typed + 'printf "%s\\n" "${COMPREPLY[@]}"'],
        env=shell.environment | {"PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("status\n", "")


@pytest.mark.parametrize(("name", "sign"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --no")])
def test_there_is_a_script_for_each_shell(shell: Shell, name: str, sign: str) -> None:
    script = shell.run("completion", name, "--json").line["script"]
    assert sign in script
    assert shell.run("completion", name).stdout.strip() == script.strip()


def test_another_shell_is_refused(shell: Shell) -> None:
    done = shell.run("completion", "tcsh")
    assert done.code == 2
    assert "bash" in done.sentence
