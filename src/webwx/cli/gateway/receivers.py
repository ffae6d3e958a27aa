"""`webwx serve receiver`: addresses to which other programs send notifications."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from webwx.cli.exits import BadInput
from webwx.cli.gateway.stored import chosen_account, gateway_url, open_records
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import _
from webwx.cli.options import example_text, with_common_options
from webwx.cli.session import Session, command
from webwx.errors import NotLoggedIn
from webwx.model.contacts import FILEHELPER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.gateway.receivers.receivers import Receivers
    from webwx.settings import Settings
    from webwx.storage.tables.records import RecordStore


@with_common_options
@click.group(
    "receiver",
    cls=CliGroup,
    epilog=example_text(
        "webwx serve receiver create --name servers --kind alertmanager",
        "webwx serve receiver create --name phone --kind ntfy",
        "webwx serve receiver list",
    ),
)
def receiver() -> None:
    """
    Create, list and delete the addresses to which other programs send notifications.

    These commands work with and without a running gateway.
    """


@command(
    "create",
    group=receiver,
    examples=(
        "webwx serve receiver create --name servers --kind alertmanager",
        'webwx serve receiver create --name builds --kind json --template "{{ build.name }}: {{ build.state }}"',
    ),
)
@click.option("--name", required=True, help="Name of the program that uses the receiver.")
@click.option(
    "--kind",
    required=True,
    help="The program: wecom, bark, serverchan, pushplus, ntfy, gotify, slack, apprise, alertmanager, grafana, github, "
    "dingtalk, feishu, discord, json or cloudevents.",
)
@click.option("--to", default=FILEHELPER, show_default=True, help="Remark, nickname or id of the recipient.")
@click.option("--token", default="", help="Token of your choice, at least 20 characters.  [default: random]")
@click.option(
    "--secret",
    default="",
    help="Secret of signatures, of at least 16 characters; requests without a valid one are refused.",
)
@click.option("--template", default="", help="Template of a generic JSON payload.")
@click.option("--zone", default="", help="Time zone of the times that are shown.  [default: UTC]")
@click.option(
    "--per-minute",
    default=10,
    show_default=True,
    help="Messages per minute that are sent one by one; further ones become a digest.",
)
async def create(
    session: Session,
    name: str,
    kind: str,
    to: str,
    token: str,
    secret: str,
    template: str,
    zone: str,
    per_minute: int,
) -> None:
    """
    Create a receiver and print its address.

    The address contains the token, which is shown only once; the gateway stores only its hash.
    """
    from webwx.gateway.receivers.receivers import StoredReceiver, address_of, hook_of

    async with _opened(session.settings) as opened:
        account = await chosen_account(session.settings, opened.records)
        made = await opened.receivers.create(
            StoredReceiver(
                id="", name=name, kind=kind, account=account.number, to=to, digest="",
                user=await _user_of(session, account.name, to),
                created_at=0, secret=secret, template=template, zone=zone, messages_per_minute=per_minute,
            ),
            token,
        )  # fmt: skip
        await opened.records.append_audit(
            "cli", "receiver.create", target=made.receiver.id, detail=kind, time=time.time()
        )
    base = gateway_url(session.settings)
    url = f"{base}{address_of(kind, made.token)}"
    lines = [url] if made.token in url else [url, _("Token: {token}").format(token=made.token)]
    session.output.result(
        lines, url=url, hook=f"{base}{hook_of(kind, made.token)}", token=made.token, id=made.receiver.id, kind=kind
    )
    session.output.remark(_("It is not shown again."))


async def _user_of(session: Session, account: str, to: str) -> int:
    """Return the WeChat user whose person or chatroom a recipient is; 0 for File Transfer Helper, or before a login."""
    from webwx.gateway.accounts.journal_lookup import user_of

    if to == FILEHELPER:
        return 0
    session.settings = dataclasses.replace(session.settings, account=account)
    with contextlib.suppress(NotLoggedIn):
        async with session.reading() as client:
            return await user_of(client)
    return 0


@command("list", group=receiver, examples=("webwx serve receiver list --json",))
async def list_receivers(session: Session) -> None:
    """List the receivers, without their tokens."""
    async with _opened(session.settings) as opened:
        for each in await opened.receivers.find():
            session.output.line(
                _("{id}  {kind}  {name}  account {account}").format(
                    id=each.id, kind=each.kind, name=each.name, account=each.account
                ),
                {"id": each.id, "kind": each.kind, "name": each.name, "account": each.account, "to": each.to},
            )


@command("delete", group=receiver, examples=("webwx serve receiver delete 8hT2kQ9x",))
@click.argument("receiver_id", metavar="ID")
async def delete(session: Session, receiver_id: str) -> None:
    """Delete a receiver; a running gateway refuses its token within a second."""
    async with _opened(session.settings) as opened:
        if not await opened.receivers.delete(receiver_id):
            raise BadInput(
                _("There is no receiver {receiver_id!r}; 'webwx serve receiver list' lists them.").format(
                    receiver_id=receiver_id
                )
            )
        await opened.records.append_audit("cli", "receiver.delete", target=receiver_id, time=time.time())
    session.output.result(_("Deleted {receiver_id}.").format(receiver_id=receiver_id), id=receiver_id, deleted=True)


class _Opened(NamedTuple):
    receivers: Receivers
    records: RecordStore


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Opened]:
    from webwx.gateway.receivers.receivers import Receivers

    async with open_records(settings) as records:
        yield _Opened(Receivers(records, time.time), records)
