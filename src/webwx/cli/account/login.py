"""
`webwx login`, `status` and `logout`.

Anyone who scans the QR code gets access to the account while the code is valid. So the code goes to stderr, never into
results, and a file that holds it is private and deleted after the login.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from webwx.cli.exits import BadInput
from webwx.cli.language import N_, _
from webwx.cli.messages.consumers import begin
from webwx.cli.output import takes_colors
from webwx.cli.session import Session, command
from webwx.cli.times import clock_time
from webwx.errors import LoggedOut, NotLoggedIn, StorageError
from webwx.model.serialization import to_builtins
from webwx.storage.atomic_write import write_private

if TYPE_CHECKING:
    from types import TracebackType

    from webwx.cli.output import Output
    from webwx.client.login.login import LoginStep
    from webwx.client.sending.rate_limit import RateLimitState
    from webwx.model.login import QrCode

Form = Literal["text", "inverted", "svg", "png"]

_STEPS: dict[LoginStep, str] = {
    "scanned": N_("Scanned; now confirm the login on your phone."),
    "cancelled": N_("The login was cancelled on the phone."),
    "expired": N_("The code has expired."),
}
"""Sentences for the steps of a login."""


@command(
    "login",
    examples=(
        "webwx login",
        "webwx login --qr png code.png",
        "webwx login --server http://127.0.0.1:8790 --json",
    ),
)
@click.option(
    "--qr",
    "form",
    type=click.Choice(["text", "inverted", "svg", "png"]),
    default="text",
    show_default=True,
    help="Format of the QR code: text in black on white, inverted text, or a picture in FILE.",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
async def login(session: Session, form: Form, file: Path | None) -> None:
    """
    Log in with a QR code, or restore the saved login.

    Scan the code with WeChat on your phone and confirm there. No code is needed while the saved login is valid. On a
    machine without a display, pass FILE to write the code to a file, which only you can read and which is deleted after
    the login.
    """
    if form in {"svg", "png"} and file is None:
        raise click.UsageError(_("--qr {form} needs a FILE, such as 'code.{form}'").format(form=form))
    with CodeDisplay(session.output, form, file) as display:
        async with session.client_and_journal() as (client, journal):
            account = await client.login(show_qr=display.show, on_step=display.report)
            await begin(journal.account(account.uin))
    session.output.line(_("Logged in as {nickname}.").format(nickname=account.nickname), account)


class CodeDisplay:
    """Shows login codes on the terminal or in a file."""

    def __init__(self, output: Output, form: Form, file: Path | None) -> None:
        self._output = output
        self._form = form
        self._file = file
        self._is_shown = False

    def __enter__(self) -> CodeDisplay:
        # The file is deleted in the end, so it must not be an existing one.
        if self._file is not None and self._file.exists():
            raise BadInput(
                _("{file!r} already exists; pass a new file for the QR code, or delete it.").format(
                    file=str(self._file)
                )
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def show(self, code: QrCode) -> None:
        """Show a code in place of the previous one."""
        if self._is_shown:
            self._output.report(_("Here is a new code."))
        self._is_shown = True
        if self._file is None:
            *picture, address = self._text(code, colors=takes_colors(sys.stderr)).split("\n")
            self._output.draw("\n".join(picture))
            self._output.report([address, _("Scan this with WeChat on your phone, then confirm there.")])
            return
        write_private(self._file, self._draw(code))
        self._output.report(
            [
                _("Scan the code in {file} with WeChat on your phone, then confirm there.").format(file=self._file),
                code.url,
            ],
        )

    def report(self, step: LoginStep) -> None:
        """Report what the phone has done, or that a code has expired."""
        self._output.report(_(_STEPS[step]))

    def _draw(self, code: QrCode) -> bytes:
        match self._form:
            case "svg":
                return code.svg().encode()
            case "png":
                return code.png()
            case "text" | "inverted":
                return f"{self._text(code, colors=False)}\n".encode()

    def _text(self, code: QrCode, *, colors: bool) -> str:
        return code.text(colors=colors, inverted=self._form == "inverted")


@command("status", examples=("webwx status --json",))
async def status(session: Session) -> None:
    """
    Show whether the saved login is valid.

    Asks the server once, without consuming events of 'listen' or 'receive'. Exits with 0 if the login is
    valid and with 4 if it is not. Also shows what the account's rate limit allows, if it has one.
    """
    try:
        async with session.logged_in_without_journal() as client:
            account = await client.check()
    except (LoggedOut, NotLoggedIn) as error:
        if session.output.as_json:
            reason = error.reason if isinstance(error, LoggedOut) else "absent"
            session.output.result("", logged_in=False, reason=reason)
        raise
    state = await _rate_limit_state(session)
    session.output.result(
        [
            _("Logged in as {nickname} ({host}).").format(nickname=account.nickname, host=account.host),
            *([] if state is None else _rate_limit(state)),
        ],
        logged_in=True, **to_builtins(account),
        rate_limit=None if state is None else {"may_send": state.may_send, **to_builtins(state)},
    )  # fmt: skip


async def _rate_limit_state(session: Session) -> RateLimitState | None:
    """Return the state of the rate limit; None if the account has no rate limit or the journal cannot be read."""
    if session.settings.effective_rate_limit is None:
        return None
    try:
        async with session.logged_in() as client:
            return await client.rate_limit_state()
    except StorageError as error:
        session.output.report(_("The state of the rate limit is unknown: {error}").format(error=error))
        return None


def _rate_limit(state: RateLimitState) -> list[str]:
    """Return lines with the state of the account's rate limit."""
    when = _("now") if state.may_send else _("in {wait:.0f} s").format(wait=state.wait)
    lines = [
        _(
            "Rate limit: the next message may be sent {when} (messages in the last minute: "
            "{messages_last_minute}, uploads in the last hour: {uploads_last_hour})."
        ).format(when=when, messages_last_minute=state.messages_last_minute, uploads_last_hour=state.uploads_last_hour)
    ]
    if state.refusals:
        until = (
            _("; paused until {time}").format(time=clock_time(state.paused_until, "%H:%M:%S"))
            if state.paused_until
            else ""
        )
        times = _("once") if state.refusals == 1 else _("{refusals} times in a row").format(refusals=state.refusals)
        lines.append(
            _("The platform refused this account as too frequent {times}{until}.").format(times=times, until=until)
        )
    return lines


@command("logout", examples=("webwx logout",))
async def logout(session: Session) -> None:
    """
    Log out and delete the saved login.

    Messages stay in the journal, for 'webwx history' and for the next login. 'webwx journal purge --all' deletes them.
    """
    async with session.logged_in_without_journal() as client:
        try:
            await client.logout()
        except StorageError as error:
            session.output.report(
                _("Logged out, but the saved login could not be deleted. {error}").format(error=error)
            )
    session.output.result(_("Logged out."), logged_out=True)
    session.output.remark(_("Messages stay in the journal; 'webwx journal purge --all' deletes them."))
