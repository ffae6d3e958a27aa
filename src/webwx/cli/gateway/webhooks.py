"""`webwx serve webhook`: the addresses of other programs to which the gateway sends events."""

from __future__ import annotations

import time

import click

from webwx.cli.exits import BadInput
from webwx.cli.gateway.stored import open_records
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import _
from webwx.cli.options import example_text, with_common_options
from webwx.cli.output import printable
from webwx.cli.session import Session, command
from webwx.cli.words import word


@with_common_options
@click.group(
    "webhook",
    cls=CliGroup,
    epilog=example_text("webwx serve webhook list", "webwx serve webhook delete 8hT2kQ9x"),
)
def webhook() -> None:
    """
    List and delete the addresses of other programs to which the gateway sends events.

    These commands work with and without a running gateway. The console and the API create webhooks.
    """


@command("list", group=webhook, examples=("webwx serve webhook list --json",))
async def list_webhooks(session: Session) -> None:
    """List the webhooks, without their secrets."""
    from webwx.gateway.webhooks.webhooks import Webhooks

    async with open_records(session.settings) as records:
        for each in await Webhooks(records, time.time).find():
            state = "enabled" if each.enabled else "disabled"
            which = (
                _("all accounts")
                if each.accounts is None
                else _("accounts {names}").format(names=", ".join(map(str, each.accounts)))
            )
            session.output.line(
                f"{each.id}  {printable(each.name)}  {printable(each.url)}  {which}, {word(state)}",
                {
                    "id": each.id, "name": each.name, "url": each.url, "accounts": each.accounts,
                    "enabled": each.enabled,
                },
            )  # fmt: skip


@command("delete", group=webhook, examples=("webwx serve webhook delete 8hT2kQ9x",))
@click.argument("webhook_id", metavar="ID")
async def delete(session: Session, webhook_id: str) -> None:
    """Delete a webhook; its waiting events are not sent. A running gateway stops to send within ten seconds."""
    from webwx.gateway.owned_records import OwnedRecords
    from webwx.gateway.queues.retry_times import RetryTimes
    from webwx.gateway.webhooks.attempts import AttemptLog
    from webwx.gateway.webhooks.webhooks import RETRY_KIND, Webhooks

    async with open_records(session.settings) as records:
        if not await Webhooks(records, time.time).delete(webhook_id):
            raise BadInput(
                _("There is no webhook {webhook_id!r}; 'webwx serve webhook list' lists them.").format(
                    webhook_id=webhook_id
                )
            )
        owned = OwnedRecords(records, time.time)
        await AttemptLog(owned).forget(webhook_id)
        await RetryTimes(RETRY_KIND, owned, time.time).forget(webhook_id)
        await records.append_audit("cli", "webhook.delete", target=webhook_id, time=time.time())
    session.output.result(_("Deleted {webhook_id}.").format(webhook_id=webhook_id), id=webhook_id, deleted=True)
