"""`webwx outbox`: sends and their states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webwx.cli.columns import MOST_OF_NAME, Column, print_table
from webwx.cli.exits import BadInput
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import N_, _
from webwx.cli.messages.messages import report_sent
from webwx.cli.messages.shown_events import name_of
from webwx.cli.options import example_text, limit_option, with_common_options
from webwx.cli.session import Session, command
from webwx.cli.times import shown_time
from webwx.cli.words import colored_state, word

if TYPE_CHECKING:
    from webwx.storage.tables.outbox import Outgoing, State

STATES: dict[State, str] = {
    "queued": N_("has not left"),
    "sending": N_("on its way"),
    "sent": N_("sent"),
    "failed": N_("refused"),
    "unknown": N_("may or may not have been sent"),
    "recalled": N_("recalled"),
}
"""Text for each state."""

_DONE = {"sent", "recalled"}
"""States from which a send is not retried."""


@with_common_options
@click.group(
    "outbox",
    cls=CliGroup,
    invoke_without_command=True,
    epilog=example_text(
        "webwx outbox",
        "webwx outbox --state unknown --json",
        "webwx outbox retry 12",
    ),
)
@click.option("--state", type=click.Choice(list(STATES)), help="Only sends in this state.")
@limit_option
@click.pass_context
def outbox(ctx: click.Context, state: State | None, limit: int) -> None:
    """
    List sends and their states.

    A send is stored before it leaves. 'queued' means not sent yet, or refused as too frequent; 'failed' means refused.
    'unknown' means that the outcome is not known: check the chat, and send again if the message is not there. The state
    becomes 'sent' when the message comes back through 'webwx listen'. For an unknown send of a bot the number of the
    event follows, as 'webwx history' shows it: the bot treats the send as made, so an answer may be missing.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(_list_sends, state=state, limit=limit)


@command("outbox", examples=("webwx outbox",))
async def _list_sends(session: Session, state: State | None, limit: int) -> None:
    async with session.reading() as client:
        sends = await client.list_sends(*([state] if state else []), limit=limit)
        people = await client.find_people({send.chat for send in sends})
        has_unknown = any(send.state == "unknown" and send.key for send in sends)
        consumers = [each.name for each in await client.list_consumers()] if has_unknown else []
        screen = session.output.screen
        print_table(
            session.output,
            [
                Column(_("NUMBER"), is_right=True), Column(_("TIME")), Column(_("STATE")),
                Column(_("TO"), most=MOST_OF_NAME),
                Column(_("KEY")), Column(""), Column(_("CONTENT"), is_cut=True),
            ],
            [
                [
                    str(send.number), shown_time(send.created_at, screen), colored_state(send.state),
                    name_of(people, send.chat), send.key,
                    _for_event(send, consumers), _content(send),
                ]
                for send in sends
            ],
            sends,
        )  # fmt: skip
    if not sends:
        session.output.remark(_("No send found."))


@command("retry", group=outbox, examples=("webwx outbox retry 12",))
@click.argument("number", type=click.IntRange(min=1))
async def retry(session: Session, number: int) -> None:
    """
    Retry a text that is queued or failed.

    Keeps the original client id. Does not resend a message that was sent. For pictures and files the outbox keeps only
    the name: run 'webwx send' again, with the same --key if it had one.
    """
    async with session.logged_in() as client:
        before = await client.find_send(number=number)
        receipt = await client.retry_send(number)
        if before is not None and before.state in _DONE:
            session.output.line(
                _("Send {number} was {state}, and is not sent again.").format(
                    number=number, state=_(STATES[before.state])
                ),
                receipt,
            )
        else:
            report_sent(session, receipt, name_of(client.contacts, receipt.chat))


@command("forget", group=outbox, examples=("webwx outbox forget 12",))
@click.argument("number", type=click.IntRange(min=1))
async def forget(session: Session, number: int) -> None:
    """
    Delete a send and its key from the outbox.

    Does not recall the message; use 'webwx recall' for that.
    """
    async with session.reading(in_place=True) as client:
        if not await client.forget_send(number):
            raise BadInput(
                _("The outbox has no send {number} that can be deleted; 'webwx outbox' lists them.").format(
                    number=number
                )
            )
    session.output.result(
        _("Send {number} is deleted from the outbox.").format(number=number), forgotten=True, number=number
    )


def describe_send(send: Outgoing) -> str:
    """Describe a send in a few words, with its state unless it is 'sent'."""
    return _content(send) if send.state == "sent" else f"{_content(send)} [{_(STATES[send.state])}]"


def _for_event(send: Outgoing, consumers: list[str]) -> str:
    """Say for which event a bot made a send whose outcome is unknown, so that the user finds it in the history."""
    event = _event_of(send.key, consumers) if send.state == "unknown" else ""
    return _("for event {event}").format(event=event) if event else ""


def _event_of(key: str, consumers: list[str]) -> str:
    """Return the number of the event for which a bot made a send, from its key; empty for any other key."""
    for name in consumers:
        number = key.removeprefix(f"{name}/").partition("/")[0]
        if key.startswith(f"{name}/") and number.isdecimal():
            return number
    return ""


def _content(send: Outgoing) -> str:
    return send.text if send.kind == "text" else f"[{word(send.kind)}] {send.text}".rstrip()
