"""`webwx run --systemd-unit`: a unit that systemd accepts and that has no secret."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from webwx.cli.bots.unit import write_unit
from webwx.cli.exits import BadInput

FILE = Path("/home/me/bots/pong.py")


def test_a_unit_has_absolute_paths_and_a_stop_timeout_longer_than_the_drain() -> None:
    lines = write_unit(FILE, [str(FILE)], {}).splitlines()
    assert f'ExecStart="{sys.executable}" "-P" "-m" "webwx" "run" "/home/me/bots/pong.py"' in lines
    assert "WorkingDirectory=/home/me/bots" in lines
    assert "TimeoutStopSec=30" in lines
    assert "NoNewPrivileges=yes" in lines


def test_a_unit_restarts_except_after_errors_that_need_a_person() -> None:
    lines = write_unit(FILE, [str(FILE)], {}).splitlines()
    assert "Restart=on-failure" in lines
    assert "RestartPreventExitStatus=2 4" in lines


def test_a_unit_uses_the_same_login_and_has_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {
        "WEBWX_HOME": "state", "XDG_STATE_HOME": "/state", "WEBWX_ACCOUNT": "work", "WEBWX_HOST": "",
        "WEBWX_PASSPHRASE": "sesame", "WEBWX_PROXY": "http://me:sesame@127.0.0.1:1",
        "WEBWX_STORAGE": "postgresql://me:sesame@db.test/webwx", "WEBWX_REASON": "no setting",
        "PATH": "/bin",
    }  # fmt: skip
    unit = write_unit(FILE, [str(FILE)], environment)
    set_there = [line for line in unit.splitlines() if line.startswith("Environment=")]
    assert set_there == [
        'Environment="PYTHONUNBUFFERED=1"',
        f'Environment="WEBWX_HOME={tmp_path / "state"}"',
        'Environment="WEBWX_ACCOUNT=work"',
        'Environment="XDG_STATE_HOME=/state"',
    ]
    assert "sesame" not in unit
    assert "# Not included: WEBWX_PASSPHRASE and WEBWX_PROXY and WEBWX_STORAGE. " in unit
    assert "EnvironmentFile=%h/.config/webwx/service.env" in unit
    assert "EnvironmentFile" not in write_unit(FILE, [str(FILE)], {})


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b", "\u2028"])
def test_a_line_break_in_a_value_of_a_unit_is_refused(sign: str, tmp_path: Path) -> None:
    evil = f"x{sign}ExecStartPre=/bin/evil"
    for file, arguments, environment in (
        (Path(f"/bots/{evil}.py"), [], {}),
        (Path(f"/{evil}/bot.py"), [], {}),
        (FILE, [str(FILE), "--on-logout", evil], {}),
        (FILE, [], {"WEBWX_ACCOUNT": evil}),
        (FILE, [], {"WEBWX_HOME": f"/{evil}"}),
    ):
        with pytest.raises(BadInput, match="line break") as caught:
            write_unit(file, arguments, environment)
        assert sign not in caught.value.message


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/my bots/a.py", '"/my bots/a.py"'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ('echo "a"', '"echo \\"a\\""'),
        ("a\\b", '"a\\\\b"'),
    ],
)
def test_arguments_reach_the_program_unchanged(word: str, written: str) -> None:
    (start,) = [line for line in write_unit(FILE, [word], {}).splitlines() if line.startswith("ExecStart=")]
    assert start.endswith(f' "run" {written}')


@pytest.mark.parametrize("name", ["pong.py", "my $bot 100%.py"])
def test_systemd_accepts_a_unit(name: str, tmp_path: Path) -> None:
    unit = write_unit(tmp_path / name, [str(tmp_path / name), "--on-logout", 'echo "$X" 5%'], {"WEBWX_HOME": "/a b/$c"})
    (path := tmp_path / "webwx-bot.service").write_text(unit)
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not on this machine")
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    done = subprocess.run(
        [program, "verify", "--user", path], env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
