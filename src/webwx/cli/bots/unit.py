"""
`webwx run --systemd-unit`: a service that runs bots and restarts them after a failure.

It is a user service, so it needs no root. Failures that only a person can fix, wrong usage and an ended login, do not
restart it. The unit contains no secrets.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from webwx.bot.chat_queues import DRAIN_TIMEOUT
from webwx.cli.exits import BadInput
from webwx.cli.language import _
from webwx.outcomes import Exit
from webwx.settings import KEYS, SECRET_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = ("WEBWX_PASSPHRASE", "WEBWX_PROXY", "WEBWX_STORAGE")
"""Variables that are not written into the unit: a passphrase, and addresses that may contain a password."""

FOR_A_PERSON = (Exit.BAD_INPUT, Exit.LOGGED_OUT)
"""Exit codes that do not restart the service."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_PATHS = ("WEBWX_HOME", "WEBWX_CONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME", *SECRET_FILES)
"""Variables with paths of the login, the journal, the configuration and files with secrets."""


def write_unit(file: Path, arguments: list[str], environment: Mapping[str, str] = os.environ, *, name: str = "") -> str:
    """
    Write a unit for copying.

    Args:
        file: The bots' file, or the first of several.
        arguments: Arguments of `webwx run`.
        environment: Variables that the service needs too.
        name: Name of the service after `webwx-`; default: the file's.

    Raises:
        BadInput: A path, an argument or a variable has a line break, which could add settings to the unit.
    """
    name = f"webwx-{name or file.stem}"
    program = [sys.executable, "-P", "-m", "webwx", "run", *arguments]
    variables = _variables(environment)
    for text in (str(file), *program, *variables):
        if _CONTROL.search(text):
            raise BadInput(
                _("A systemd unit cannot contain {text!r}: it has a line break or another control character.").format(
                    text=text
                )
            )
    lines = [
        f"# ~/.config/systemd/user/{name}.service",
        "#",
        f"#   systemctl --user daemon-reload && systemctl --user enable --now {name}",
        '#   loginctl enable-linger "$USER"     # it runs when you are not logged in, too',
        f"#   journalctl --user -u {name} -f     # what it says; a login code is drawn there",
        "",
        "[Unit]",
        f"Description=webwx bots of {_escaped(file.name)}",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={' '.join(_quoted(word).replace('$', '$$') for word in program)}",
        f"WorkingDirectory={_escaped(str(file.parent))}",
        'Environment="PYTHONUNBUFFERED=1"',
        *(f"Environment={_quoted(each)}" for each in variables),
        *_secrets(environment),
        "Restart=on-failure",
        "RestartSec=15",
        "# A restart does not repair these: wrong usage, and a login that has ended ('webwx login').",
        f"RestartPreventExitStatus={' '.join(f'{code:d}' for code in FOR_A_PERSON)}",
        "# What is in flight gets ten seconds.",
        f"TimeoutStopSec={3 * DRAIN_TIMEOUT:.0f}",
        "KillMode=mixed",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines)


def _variables(environment: Mapping[str, str]) -> list[str]:
    """Return the set variables, with absolute paths, so that the service finds the same login."""
    names = dict.fromkeys((*(f"WEBWX_{key.upper()}" for key in KEYS), *_PATHS))
    set_here = {name: environment.get(name) for name in names}
    return [
        f"{name}={Path(value).expanduser().absolute() if name in _PATHS else value}"
        for name, value in set_here.items()
        if value and name not in SECRET
    ]


def _secrets(environment: Mapping[str, str]) -> list[str]:
    names = [name for name in SECRET if environment.get(name)]
    if not names:
        return []
    return [
        f"# Not included: {' and '.join(names)}. Put NAME=value into this file, readable only by you.",
        "EnvironmentFile=%h/.config/webwx/service.env",
    ]


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """Quote a word for systemd."""
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
