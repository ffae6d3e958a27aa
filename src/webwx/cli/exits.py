"""Exit codes of commands, and the one sentence that each failure prints."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

import click

from webwx.cli.language import N_, _
from webwx.errors import (
    AlreadyRunning,
    ConnectFailed,
    LoggedOut,
    LoginTimeout,
    NotLoggedIn,
    ProxyFailed,
    Timeout,
    TlsError,
    WxError,
)
from webwx.outcomes import Exit, outcome_of

_NEXT_STEPS: tuple[tuple[type[WxError], str], ...] = (
    (LoginTimeout, N_("; run 'webwx login' again and confirm on the phone")),
    (NotLoggedIn, N_(": run 'webwx login'")),
    (LoggedOut, N_(": run 'webwx login'")),
    (AlreadyRunning, N_("; end it first")),
    (TlsError, N_("; check this machine's clock and its proxy")),
    (ProxyFailed, N_("; check the proxy's address, given as --proxy or WEBWX_PROXY")),
    (ConnectFailed, N_("; check the network, or the address given as --server or WEBWX_SERVER")),
    (Timeout, N_("; check the network and try again")),
)
"""Next steps for the user, which only the command line knows."""


class BadInput(click.ClickException):
    """An argument, an option or stdin cannot be used."""

    exit_code = Exit.BAD_INPUT


class CommandFailed(click.ClickException):
    """A command failed; the message gives the reason."""

    exit_code = Exit.FAILED


def explain(error: Exception) -> tuple[Exit, str]:
    """Return the exit code of a failure, and its message with the next step for the user."""
    match error:
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "webwx"
            hint = _("; see '{command} --help'").format(command=command)
            return Exit.BAD_INPUT, _join(error.format_message(), hint)
        case click.ClickException():
            return Exit(error.exit_code), error.format_message()
        case WxError():
            notes: list[str] = getattr(error, "__notes__", [])
            return outcome_of(error).exit, " ".join([_join(str(error), _next_step(error)), *notes])
        case OSError():
            return Exit.FAILED, _explain_os_error(error)
        case _unforeseen:
            return Exit.FAILED, _explain_unforeseen(error)


def _explain_unforeseen(error: Exception) -> str:
    from webwx.bot.failures import describe, is_of_program  # loads asyncio, which no help needs

    if is_of_program(error):
        return _("The program has failed: {what}; correct this line.").format(what=describe(error))
    # The text of an unforeseen exception may hold anything, keys included; where it was raised holds nothing.
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    message = _("Internal error in webwx ({kind} at {where}); please report it.")
    return message.format(kind=type(error).__name__, where=where)


def _explain_os_error(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    if error.errno == errno.ENOSPC:
        return _("The disk is full; free some space and try again.")
    if error.filename is None:
        return _("System error: {reason}.").format(reason=reason)
    message = _("Cannot open {path!r} ({reason}); check the path and its permissions.")
    return message.format(path=str(error.filename), reason=reason)


def _next_step(error: WxError) -> str:
    return next((_(step) for kind, step in _NEXT_STEPS if isinstance(error, kind)), "")


def _join(what: str, next_step: str) -> str:
    sentence = " ".join(what.split()).rstrip(".。")
    if sentence.endswith(("?", "？")):
        return sentence
    if not next_step and what.rstrip().endswith("."):  # an English sentence, in any language of the messages
        return f"{sentence}."
    return _("{sentence}{next_step}.").format(sentence=sentence, next_step=next_step)
