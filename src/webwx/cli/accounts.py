"""`webwx accounts`: which logins this machine keeps."""

from __future__ import annotations

from webwx.cli.session import Session, command
from webwx.client.accounts import Accounts


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
    found = Accounts(session.settings.home).list_accounts()
    for each in found:
        is_current = each.path == current
        login = f"{each.nickname} on {each.server or each.host}" if each.host else each.path.stem
        session.output.result(
            f"{'*' if is_current else ' '} {each.account}: {login} - {each.state}",
            account=each.account, nickname=each.nickname, host=each.host, server=each.server, state=each.state,
            reason=each.reason, current=is_current,
        )  # fmt: skip
    if not found:
        session.output.remark("No login is saved on this machine; 'webwx login' makes one.")
