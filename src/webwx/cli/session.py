"""
The context of a command: the server, the saved login, and the output.

Commands are coroutines that take a `Session`; `command` turns them into click commands. Each command is a process of
its own; the saved login connects them.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import io
import logging
import os
import select
import signal
import stat
import sys
import traceback
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click
import click.exceptions
import msgspec

from webwx.bot.loop import run_long
from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.help_pages import CliCommand
from webwx.cli.language import N_, _
from webwx.cli.logs import NOTICES, log_to_stderr
from webwx.cli.option_values import OptionValues
from webwx.cli.options import example_text, with_common_options
from webwx.cli.output import Output, OutputClosed
from webwx.client.client import AsyncClient
from webwx.errors import AlreadyRunning, NotLoggedIn, StorageError
from webwx.gateway.running import find_running
from webwx.model.archive import Keep
from webwx.outcomes import Exit
from webwx.storage.open import copied, open_journal_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path
    from types import FrameType

    from webwx.client.sending.files import Stream
    from webwx.client.sending.rate_limit import RateLimit, WaitReason
    from webwx.client.state import StateChange
    from webwx.settings import Settings
    from webwx.storage.base import Journal, JournalFile, Storage

T = TypeVar("T")

_log = logging.getLogger("webwx.cli")

_RATE_LIMIT_PATIENCE = 300.0
"""Maximum seconds that a command waits for the account's rate limit, unless the configuration sets another."""

_UNNOTICED = 2.0
"""Waits up to this many seconds are not reported."""

_ONE_PRESS = 0.5
"""Seconds in which one Ctrl-C may arrive twice: from the terminal, and from the parent process."""

_WAIT_REASONS: dict[WaitReason, str] = {
    "rate_limit": N_("this account's rate limit is reached"),
    "refused": N_("the platform refused this account as too frequent"),
}


class Session:
    """One run of one command."""

    def __init__(self, values: OptionValues) -> None:
        self._values = values
        self.output = Output(as_json=values.as_json, notices=NOTICES if values.log_format == "json" else None)
        self._has_chosen = False
        """Whether the account is settled, by the user or by `choose_account`."""
        self.is_endless = False
        """Whether the command runs until it is stopped, so that SIGTERM is its regular end."""
        self.keeps_media = False
        """Whether to archive pictures as they arrive, even without a setting."""

    @property
    def is_verbose(self) -> bool:
        """Whether `--verbose` is used."""
        return self._values.verbose

    @functools.cached_property
    def settings(self) -> Settings:
        """
        The settings, read on first use, so that a mistake in them stops no command that does not need them.

        Raises:
            InvalidSettings: A setting is invalid.
        """
        return self._values.settings()

    @asynccontextmanager
    async def storage(self, *, retention_days: float | None = None) -> AsyncIterator[Storage]:
        """Return the storage of the chosen settings; `retention_days` as for `Settings.open_storage`."""
        storage = self.settings.open_storage(retention_days=retention_days)
        try:
            yield storage
        finally:
            await storage.close()

    @asynccontextmanager
    async def client_and_journal(self) -> AsyncIterator[tuple[AsyncClient, Journal]]:
        """Return a client of the chosen server or profile that is not logged in yet, and its journal."""
        async with self.storage() as storage:
            journal = storage.journal(self.settings.login_name)
            async with self._client_on(storage, journal) as client:
                yield client, journal

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncClient]:
        """Return a client of the chosen server or profile that is not logged in yet."""
        async with self.client_and_journal() as (client, _):
            yield client

    def _client_on(self, storage: Storage, journal: Journal | None) -> AsyncClient:
        settings = self.settings
        keep = settings.keep or (Keep() if self.keeps_media else None)
        return AsyncClient(
            **settings.for_client(),
            store=storage.login(settings.login_name),
            journal=journal,
            keep=None if journal is None else keep,
            rate_limit=_with_max_wait(settings.effective_rate_limit),
            on_wait=self._report_wait,
            on_state=self._report_state,
        )

    def _report_state(self, change: StateChange) -> None:
        if change.is_notable:
            self.output.report(_(change.template).format(error=change.error))

    def with_gateway(self, error: AlreadyRunning) -> AlreadyRunning:
        """Return the error with the name of the process, if that is the gateway of this folder."""
        gateway = find_running(self.settings.home)
        if gateway is None or gateway.pid != error.pid:
            return error
        return AlreadyRunning(f"The gateway at {gateway.url} is syncing this login", pid=gateway.pid)

    async def noting_other_logins(self, work: Coroutine[Any, Any, None]) -> None:
        """
        Do the work; if no login is saved for it, add a note to the exception about those of other servers or accounts.

        Raises:
            NotLoggedIn: The work needs a login.
        """
        try:
            await work
        except NotLoggedIn as error:
            from webwx.cli.other_logins import other_logins  # only a failure needs it

            with contextlib.suppress(StorageError):  # the failure of the work is reported, not that of the note
                async with self.storage() as storage:
                    if note := await other_logins(self.settings, storage):
                        error.add_note(note)
            raise

    def announce(self, text: str) -> None:
        """Print on a terminal a notice about the work of a command that has no results yet."""
        if sys.stderr is not None and sys.stderr.isatty():
            self.output.remark(text)

    def _report_wait(self, seconds: float, reason: WaitReason) -> None:
        if seconds > _UNNOTICED:
            self.output.report(
                _("Waiting {seconds:.0f} s: {reason}.").format(seconds=seconds, reason=_(_WAIT_REASONS[reason]))
            )

    @asynccontextmanager
    async def logged_in(self) -> AsyncIterator[AsyncClient]:
        """
        Return a client with the saved login, without checking it on the server.

        Raises:
            NotLoggedIn: No login is saved.
        """
        await self.choose_account()
        async with self.client() as client:
            await client.resume()
            yield client

    async def choose_account(self) -> None:
        """
        Use the only account with a saved login, if the user has named none.

        An account of the default name is used if it has a login, or a journal from an earlier one.
        """
        settings = self.settings
        if self._has_chosen or "account" in settings.sources:
            return
        self._has_chosen = True
        async with self.storage() as storage:
            name = settings.login_name
            if await storage.login(name).load() is not None or await storage.has_journal(name):
                return
            names = {each.account for each in await storage.list_logins() if each.place == name.place}
        if len(names) == 1:
            self.settings = dataclasses.replace(settings, account=names.pop())

    @asynccontextmanager
    async def logged_in_without_journal(self) -> AsyncIterator[AsyncClient]:
        """
        Return a client with the saved login that needs neither the journal nor a writable disk.

        Raises:
            NotLoggedIn: No login is saved.
        """
        await self.choose_account()
        async with AsyncExitStack() as stack:
            client = self._client_on(await stack.enter_async_context(self.storage()), None)
            stack.push_async_callback(self._close, client)
            await client.resume()
            yield client

    @asynccontextmanager
    async def reading(self, *, in_place: bool = False) -> AsyncIterator[AsyncClient]:
        """
        Return a client that reads the journal: with the saved login, or without a login if there is a journal.

        A journal that cannot be opened where it is, as on a full or a read-only disk, is read from a copy.

        Args:
            in_place: Whether the command changes the journal or reads files beside it, so it cannot use a copy.

        Raises:
            NotLoggedIn: There is neither a login nor a journal.
            StorageError: The journal cannot be opened.
        """

        async def read_one(stack: AsyncExitStack, journal: Journal) -> AsyncClient:
            client = await self._open_to_read(stack, journal)
            await client.history(limit=1)
            return client

        async with AsyncExitStack() as stack:
            yield await self._open(stack, self._open_to_read if in_place else read_one, in_place=in_place)

    @asynccontextmanager
    async def journal_to_read(self) -> AsyncIterator[Journal]:
        """
        Return the journal of the chosen login; a copy where its file cannot be opened, as for `reading`.

        Raises:
            StorageError: The journal cannot be read.
        """
        async with AsyncExitStack() as stack:
            yield await self._open(stack, _read_accounts)

    @asynccontextmanager
    async def file_to_read(self) -> AsyncIterator[JournalFile]:
        """
        Return the journal's file; a copy where it cannot be opened, as for `reading`.

        Raises:
            StorageError: It cannot be read.
        """
        async with AsyncExitStack() as stack:
            yield await self._open_or_copy(stack, _read_accounts)

    def require_database(self) -> str:
        """
        Return the URL of the database.

        Raises:
            BadInput: The storage is a folder.
        """
        if not self.settings.storage:
            raise BadInput(_("Several machines can share only a database: pass --storage postgresql://HOST/DATABASE."))
        return self.settings.storage

    def require_file(self, reason: str) -> None:
        """
        Raise if the journal is in a database.

        Args:
            reason: Why the command needs a file, as the end of a sentence.

        Raises:
            CommandFailed: It is.
        """
        if self.settings.storage:
            raise CommandFailed(_("This journal is in a database; {reason}.").format(reason=reason))

    async def _open(
        self, stack: AsyncExitStack, open_on: Callable[[AsyncExitStack, Journal], Coroutine[Any, Any, T]], *,
        in_place: bool = False,
    ) -> T:  # fmt: skip
        """Open a reader of the journal; in another place if that fails and is possible."""
        await self.choose_account()
        if not self.settings.storage and not in_place:
            return await self._open_or_copy(stack, open_on)
        storage = await stack.enter_async_context(self.storage(retention_days=0))
        return await open_on(stack, storage.journal(self.settings.login_name))

    async def _open_or_copy(
        self, stack: AsyncExitStack, open_on: Callable[[AsyncExitStack, JournalFile], Coroutine[Any, Any, T]]
    ) -> T:
        """Open a reader of the journal's file and read once; from a copy if that fails in place."""
        await self.choose_account()
        path = self.settings.journal_path
        try:
            return await open_on(stack, self._file_to_read(stack, path))
        except StorageError as failure:
            await stack.aclose()
            try:
                opened = await open_on(stack, self._file_to_read(stack, stack.enter_context(copied(path))))
            except StorageError:
                raise failure from None
            self.output.report(_("{failure} Reading a copy of it.").format(failure=failure))
            return opened

    def _file_to_read(self, stack: AsyncExitStack, path: Path) -> JournalFile:
        journal = open_journal_file(path, retention_days=0)
        stack.push_async_callback(journal.close)
        return journal

    async def _open_to_read(self, stack: AsyncExitStack, journal: Journal) -> AsyncClient:
        storage = await stack.enter_async_context(self.storage())
        client = self._client_on(storage, journal)
        stack.push_async_callback(self._close, client)
        try:
            await client.resume()
        except NotLoggedIn:
            if not await storage.has_journal(self.settings.login_name):
                raise
        return client

    async def _close(self, client: AsyncClient) -> None:
        """Close a client, and report what cannot be saved instead of failing."""
        try:
            await client.close()
        except StorageError as error:
            self.output.report(str(error))


J = TypeVar("J", bound="Journal")


async def _read_accounts(stack: AsyncExitStack, journal: J) -> J:
    """Return a journal that can be read."""
    del stack
    await journal.accounts()
    return journal


def _with_max_wait(rate_limit: RateLimit | None) -> RateLimit | None:
    if rate_limit is None or rate_limit.patience is not None:
        return rate_limit
    return msgspec.structs.replace(rate_limit, patience=_RATE_LIMIT_PATIENCE)


def command(
    name: str,
    *,
    examples: tuple[str, ...],
    cls: type[click.Command] = CliCommand,
    group: click.Group | None = None,
    endless: bool = False,
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], click.Command]:
    """
    Make a click command of a coroutine whose first argument is the session.

    Args:
        name: Name of the command.
        examples: Lines for the end of its help.
        cls: Class of the command.
        group: Group of the command; `webwx` itself by default.
        endless: The command runs until it is stopped, so SIGTERM is its regular end; if this depends on an option, the
            command sets `is_endless` of the session.
    """
    runner = run_long if endless else asyncio.run

    def decorate(work: Callable[..., Coroutine[Any, Any, None]]) -> click.Command:
        @functools.wraps(work)
        def run(**arguments: Any) -> None:
            values = click.get_current_context().ensure_object(OptionValues)
            if values.verbose or values.log_format == "json":
                log_to_stderr(log_format=values.log_format, level=logging.DEBUG if values.verbose else logging.WARNING)
            session = Session(values)
            session.is_endless = endless
            try:
                runner(_until_sigterm(session.noting_other_logins(work(session, **arguments))))
            except asyncio.CancelledError:
                raise click.exceptions.Exit(Exit.DONE if session.is_endless else Exit.TERMINATED) from None
            except AlreadyRunning as error:
                raise session.with_gateway(error) from None
            except Exception as error:
                # Where it was raised, without its text, which may hold anything.
                _log.debug("raised %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
                raise

        made = with_common_options(click.command(name, cls=cls, epilog=example_text(*examples))(run))
        if group is not None:
            group.add_command(made)
        return made

    return decorate


async def _until_sigterm(work: Coroutine[Any, Any, None]) -> None:
    """
    Make SIGTERM cancel the work as Ctrl-C does, so that everything is saved and closed.

    A second Ctrl-C exits at once, as if the process were killed.
    """
    loop, task, cancel = asyncio.get_running_loop(), asyncio.current_task(), signal.getsignal(signal.SIGINT)
    pressed_at: float | None = None

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal pressed_at
        if pressed_at is None:
            pressed_at = loop.time()
            if callable(cancel):
                cancel(number, frame)
        elif loop.time() - pressed_at > _ONE_PRESS:
            os._exit(Exit.INTERRUPTED)

    if callable(cancel):  # not so when it is ignored, as in the background of a shell
        signal.signal(signal.SIGINT, interrupt)
    if task is not None:
        try:
            # This way every signal wakes the loop, Ctrl-C too. One that comes just as the loop falls asleep would wait
            # for the next event otherwise, and there may be none.
            loop.add_signal_handler(signal.SIGTERM, task.cancel)
        except NotImplementedError:  # Windows
            signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(task.cancel))
    try:
        await work
    finally:
        if callable(cancel):
            signal.signal(signal.SIGINT, cancel)


@contextmanager
def ended_by_reader() -> Iterator[None]:
    """
    End this command as soon as the reader of its pipe closes it, as `head` does.

    Otherwise only the next line would notice it.

    Raises:
        OutputClosed: The pipe is closed.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is None or sys.platform == "win32" or not _is_pipe(sys.stdout):
        yield
        return
    output, is_gone = sys.stdout.fileno(), False

    def end() -> None:
        nonlocal is_gone
        is_gone = True
        loop.remove_reader(output)
        task.cancel()

    # The writing end of a pipe becomes readable, with an error, when the last reader has closed the other one.
    loop.add_reader(output, end)
    try:
        yield
    except asyncio.CancelledError:
        if is_gone:
            raise OutputClosed from None
        raise
    finally:
        loop.remove_reader(output)


def _is_pipe(stream: TextIO | None) -> bool:
    return stream is not None and stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)


class _Stdin:
    """Stdin for a reading thread that can be stopped; otherwise the thread would keep the process from ending."""

    is_over = False

    def read(self, size: int, /) -> bytes:
        """Return the bytes that have arrived, up to a size; none at the end."""
        while not self.is_over:
            if sys.platform == "win32" or select.select([sys.stdin], [], [], _PATIENCE)[0]:
                return os.read(sys.stdin.fileno(), size)
        return b""


_PATIENCE = 0.1
"""Seconds between two checks whether the command is ending."""


@contextmanager
def piped_bytes(output: Output) -> Iterator[Stream]:
    """Return stdin as a stream of bytes that ends when the command ends."""
    if sys.stdin is None:
        yield io.BytesIO()
        return
    if sys.stdin.isatty():
        output.report(_("Type the content to send; press Ctrl-D on an empty line to finish."))
    stdin = _Stdin()
    try:
        yield stdin
    finally:
        stdin.is_over = True


async def read_text(output: Output) -> str:
    """
    Read a text from stdin to its end, without the newline that ends it.

    Raises:
        BadInput: The text is not valid UTF-8.
    """
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        output.report(_("Type your message; press Ctrl-D on an empty line to send it."))
    try:
        text = (await _read_stdin()).decode()
    except UnicodeDecodeError:
        raise BadInput(
            _("stdin is not valid UTF-8, so nothing was sent; use '--file -' to send any bytes as a file.")
        ) from None
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True).removesuffix("\n")


async def read_piped_line() -> str:
    """Read one line from stdin; empty at the end of stdin, or if stdin is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return (await _read_stdin(b"\n")).decode(errors="replace").strip()


async def read_piped_json(empty: str, silent: Callable[[], None]) -> str:
    """
    Read one line from stdin if it is a pipe or a file that holds a JSON object; otherwise return an empty text.

    Args:
        empty: What to say of a pipe or file that holds nothing: the command that had to write there has failed.
        silent: Called if nothing has arrived after a moment, and the pipe is still open.

    Raises:
        BadInput: The pipe or file holds nothing.
    """
    if sys.stdin is None:
        return ""
    status = os.fstat(sys.stdin.fileno())
    is_file = stat.S_ISREG(status.st_mode)
    if not (is_file or stat.S_ISFIFO(status.st_mode)):
        return ""
    waiting = asyncio.get_running_loop().call_later(_SILENCE, silent)
    try:
        line = await _read_stdin(b"\n", start=b"{")
    finally:
        waiting.cancel()
    if not line and not (is_file and status.st_size):  # at the end of a file is the last command of a script
        raise BadInput(empty)
    return line.decode(errors="replace").strip() if line.startswith(b"{") else ""


_SILENCE = 2.0
"""Seconds after which a command says what it waits for."""


async def _read_stdin(end: bytes = b"", *, start: bytes = b"") -> bytes:
    """
    Read stdin in a thread, so that Ctrl-C works meanwhile.

    Args:
        end: Byte before which to stop; by default, read to the end.
        start: First byte; if stdin starts with another one, read and return only that byte.
    """
    stdin = _Stdin()

    def read() -> bytes:
        content = stdin.read(len(start)) if start else b""
        if content != start:
            if sys.stdin.seekable():  # another program may read the rest of the file
                os.lseek(sys.stdin.fileno(), -len(content), os.SEEK_CUR)
            return content
        while piece := stdin.read(_PIECE):
            content += piece
            if end and end in piece:
                break
        return content.partition(end)[0] if end else content

    try:
        return await asyncio.to_thread(read)
    finally:
        stdin.is_over = True


def checked_text(text: str, what: str) -> str:
    """
    Return a command-line text in a form that can be sent.

    Raises:
        BadInput: The text is not valid UTF-8.
    """
    try:
        # Some terminals pass one character as two surrogates; this joins them.
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise BadInput(_("{what} is not valid UTF-8, so nothing was sent.").format(what=what)) from None


_PIECE = 65_536
"""Bytes to read at a time."""
