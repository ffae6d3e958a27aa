"""The sends of programs that wait for the consent of their owner, who lists and answers them with commands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from click.shell_completion import CompletionItem

from webwx.cli.columns import MOST_OF_NAME, Column, print_table
from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.language import _
from webwx.cli.names import help_of, read_to_complete
from webwx.cli.times import clock_time
from webwx.cli.words import colored_state, word

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    import click

    from webwx.cli.session import Session
    from webwx.gateway.adapters.confirmation import Confirmation
    from webwx.settings import Settings
    from webwx.storage.base import Storage
    from webwx.storage.tables.records import RecordStore


class AskingProgram(NamedTuple):
    """A program that asks its owner."""

    id: str
    name: str
    """Its name for people; of an agent of `webwx mcp` its account."""


async def asking_programs(records: RecordStore) -> list[AskingProgram]:
    """Return the programs of a gateway."""
    from webwx.gateway.adapters.programs import Programs

    return [AskingProgram(each.id, each.name) for each in await Programs(records, time.time).find()]


async def asking_agents(records: RecordStore) -> list[AskingProgram]:
    """Return the agents of `webwx mcp` that have asked their owner."""
    from webwx.gateway.adapters.mcp.command_agents import find_agents

    return [
        AskingProgram(each.id, f"{each.account} {each.place}".strip() if each.kind == "gateway" else each.account)
        for each in await find_agents(records)
    ]


class PendingSend(NamedTuple):
    """A send, and its program."""

    program: AskingProgram
    confirmation: Confirmation

    @property
    def fields(self) -> dict[str, object]:
        """The fields for `--json`."""
        send = self.confirmation
        return {
            "code": send.code, "state": send.state, "program": self.program.id, "program_name": self.program.name,
            "to": send.to, "name": send.name, "is_group": send.is_group, "kind": send.kind, "text": send.text,
            "file": send.file, "size": send.size, "created_at": send.created_at,
            "expires_at": send.expires_at if send.asked_at else None, "error": send.failure.text,
            "error_code": send.failure.code,
        }  # fmt: skip


async def find_pending(
    records: RecordStore, programs: Iterable[AskingProgram], *, include_all: bool = False
) -> list[PendingSend]:
    """Return the sends of some programs that wait for an answer, the oldest first; or also those that were answered."""
    from webwx.gateway.adapters.stored_confirmations import StoredConfirmations

    stored = StoredConfirmations(records, time.time)
    found = [PendingSend(program, send) for program in programs for send in await stored.list(program.id)]
    wanted = [each for each in found if include_all or each.confirmation.state == "waiting"]
    return sorted(wanted, key=lambda each: each.confirmation.created_at)


def complete_program_codes(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:  # fmt: skip
    """Complete the codes of the sends of a gateway's programs that wait for their owner."""
    del param
    return _codes(ctx, asking_programs, incomplete)


def complete_agent_codes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Complete the codes of the sends of `webwx mcp` that wait for their owner."""
    del param
    return _codes(ctx, asking_agents, incomplete)


def _codes(
    ctx: click.Context, programs: Callable[[RecordStore], Awaitable[list[AskingProgram]]], incomplete: str
) -> list[CompletionItem[str]]:
    async def read(settings: Settings, storage: Storage) -> list[PendingSend]:
        del settings
        return await find_pending(storage.records(), await programs(storage.records()))

    none: list[PendingSend] = []
    sends = [each.confirmation for each in read_to_complete(ctx, read, none)]
    return [CompletionItem(each.code, help=help_of(each.name)) for each in sends if each.code.startswith(incomplete)]


def print_pending(session: Session, found: list[PendingSend]) -> None:
    """Print sends as a table."""
    print_table(
        session.output,
        [
            Column(_("CODE")), Column(_("STATE")), Column(_("UNTIL")), Column(_("PROGRAM"), most=MOST_OF_NAME),
            Column(_("TO"), most=MOST_OF_NAME), Column(_("KIND")), Column(_("CONTENT"), is_cut=True),
        ],
        [
            [
                each.confirmation.code, colored_state(each.confirmation.state), _until(each.confirmation),
                each.program.name, each.confirmation.name, word(each.confirmation.kind), content_of(each.confirmation),
            ]
            for each in found
        ],
        [each.fields for each in found],
    )  # fmt: skip
    if not found:
        session.output.remark(_("No send waits for you."))


def _until(send: Confirmation) -> str:
    return clock_time(send.expires_at, "%H:%M:%S") if send.state == "waiting" else ""


def content_of(send: Confirmation) -> str:
    """Return the file and the text of a send; the reason why it failed stands before them, where it is not cut."""
    reason = f"[{send.failure.text}]" if send.failure.text else ""
    return "  ".join(filter(None, (reason, send.file, send.text)))


async def answer_pending(
    session: Session, records: RecordStore, programs: Iterable[AskingProgram], code: str, *, is_yes: bool, later: str
) -> None:
    """
    Accept or refuse the send with a code, and print it.

    Args:
        session: The session.
        records: The records.
        programs: The programs of which it may be.
        code: The code.
        is_yes: Whether it is accepted.
        later: What follows an accepted send, for people.

    Raises:
        BadInput: No send has the code, or the sends of several accounts have it.
        CommandFailed: It was answered before, or its time is over.
    """
    from webwx.gateway.adapters.confirmations import TERMINAL
    from webwx.gateway.adapters.owner_answers import OwnerAnswers
    from webwx.gateway.adapters.stored_confirmations import StoredConfirmations

    known = await find_pending(records, programs, include_all=True)
    having = [each for each in known if each.confirmation.code == code]
    open_ones = [each for each in having if each.confirmation.state == "waiting"]
    if not having:
        raise BadInput(_("No send has the code {code!r}; list those that wait with 'pending'.").format(code=code))
    if not open_ones:
        raise CommandFailed(_("This send was answered before, or its time is over; nothing has changed."))
    if len(open_ones) > 1:
        raise BadInput(_("Sends of several programs have this code; choose one with --program."))
    [found] = open_ones
    stored = StoredConfirmations(records, time.time)
    decided = await OwnerAnswers(stored).decide(found.confirmation, is_yes=is_yes, by=TERMINAL)
    wanted = {"accepted", "made"} if is_yes else {"refused"}
    if decided.decided_by != TERMINAL or decided.state not in wanted:
        raise CommandFailed(_("This send was answered before, or its time is over; nothing has changed."))
    await records.append_audit(
        "cli", "confirmation.decide", target=found.program.id, detail=f"{decided.state}, to {decided.to}",
        time=time.time(),
    )  # fmt: skip
    sentence = _("Accepted: to {name}.") if is_yes else _("Refused: to {name}; nothing is sent.")
    session.output.line(sentence.format(name=decided.name), found._replace(confirmation=decided).fields)
    if is_yes:
        session.output.remark(later)
