"""`webwx accounts`: the saved logins."""

from __future__ import annotations

from webwx.cli.columns import Column, print_table
from webwx.cli.language import _
from webwx.cli.session import Session, command
from webwx.cli.words import colored_state
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
    is_current = [(each.account, each.place) == (current.account, current.place) for each in found]
    print_table(
        session.output,
        [Column(""), Column(_("ACCOUNT")), Column(_("NAME")), Column(_("SERVER"), is_cut=True), Column(_("STATE"))],
        [
            [
                "*" if is_used else " ", each.account, each.nickname or "", each.server or each.host or each.place,
                colored_state(each.state),
            ]
            for each, is_used in zip(found, is_current, strict=True)
        ],
        (
            {
                "account": each.account, "nickname": each.nickname, "host": each.host, "server": each.server,
                "state": each.state, "reason": each.reason, "current": is_used,
            }
            for each, is_used in zip(found, is_current, strict=True)
        ),
    )  # fmt: skip
    if not found:
        session.output.remark(_("No login is saved on this machine; run 'webwx login'."))
