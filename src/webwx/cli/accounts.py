"""`webwx accounts`: which logins this machine keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.cli.session import Session, command
from webwx.storage.encryption import UNREADABLE, read_sealed
from webwx.storage.login import VERSION, SavedLogin

if TYPE_CHECKING:
    from pathlib import Path


@command(
    "accounts",
    examples=(
        "webwx accounts",
        "webwx login --account work && webwx accounts --json",
    ),
)
async def accounts(session: Session) -> None:
    """
    List the logins saved on this machine.

    No server is asked: 'webwx status' says whether one is still alive. Commands use the login marked with a star; give
    them --account, --host or --server to use another.
    """
    current = session.settings.login_path
    found = list(session.settings.login_paths())
    for account, path in found:
        saved, state = read_saved(path)
        login = saved.login if saved else None
        who = f"{login.nickname} on {login.server or login.profile_name}" if login else path.stem
        session.output.result(
            f"{'*' if path == current else ' '} {account}: {who} - {state}",
            account=account,
            nickname=login.nickname if login else None,
            host=login.profile_name if login else None,
            server=login.server if login else None,
            state=state,
            reason=saved.ended.reason if saved and saved.ended else None,
            current=path == current,
        )
    if not found:
        session.output.remark("No login is saved on this machine; 'webwx login' makes one.")


def read_saved(path: Path) -> tuple[SavedLogin | None, str]:
    """
    Read a saved login and say how it stands: `saved`, `ended`, `encrypted` or `unreadable`.

    `LoginFile` sets aside what it cannot read. Whoever only looks must not, so the file is read here as it lies.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None, "unreadable"
    if read_sealed(content) is not None:
        return None, "encrypted"
    try:
        saved = msgspec.json.decode(content, type=SavedLogin)
    except UNREADABLE:
        return None, "unreadable"
    if saved.version != VERSION:
        return None, "unreadable"
    return saved, "ended" if saved.ended else "saved"
