"""`webwx accounts`: the saved logins."""

from __future__ import annotations

from webwx.cli.language import _
from webwx.cli.session import Session, command
from webwx.cli.words import word
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
    List the saved logins of this machine or of the database.

    Does not contact a server; 'webwx status' checks whether a login is still valid. A star marks the login that
    commands use. Pass --account, --host or --server to use another one.
    """
    current = session.settings.login_name
    async with session.storage() as storage, Accounts(storage) as opened:
        found = await opened.list_accounts()
    for each in found:
        is_current = (each.account, each.place) == (current.account, current.place)
        login = (
            _("{nickname} on {where}").format(nickname=each.nickname, where=each.server or each.host)
            if each.host
            else each.place
        )
        session.output.result(
            f"{'*' if is_current else ' '} {each.account}: {login} - {word(each.state)}",
            account=each.account, nickname=each.nickname, host=each.host, server=each.server, state=each.state,
            reason=each.reason, current=is_current,
        )  # fmt: skip
    if not found:
        session.output.remark(_("No login is saved on this machine; run 'webwx login'."))
