"""
The command line as users meet it: real processes, a sandbox in its own process, a home folder for each test.

The secret scanner records what every command prints, and knows the keys of every login that a test saves.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import pytest
from tests.forks import Fork, Forks, fits
from tests.secret_scanner import SecretScanner

from webwx.cli.messages.consumers import begin
from webwx.client.client import AsyncClient
from webwx.model.login import Login
from webwx.settings import Settings
from webwx.storage.login import LoginFile
from webwx.storage.saved_login import SavedLogin
from webwx.storage.sqlite.journal import SqliteJournal

WEBWX = Path(sys.executable).with_name("webwx")

PATIENCE = 60.0
"""Seconds that a command may take."""


class Sandbox:
    """A running `webwx sandbox`, and its control API for the phones."""

    def __init__(self, first_line: dict[str, Any]) -> None:
        self.first_line = first_line
        self.url: str = first_line["url"]
        self.control_url: str = first_line["control"]

    def control(self, path: str, **fields: Any) -> dict[str, Any]:
        """Call the control API: GET if there are no fields, otherwise POST."""
        body = json.dumps(fields).encode() if fields else None
        with urllib.request.urlopen(urllib.request.Request(f"{self.control_url}/{path}", body)) as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    def say(self, sender: str, to: str, text: str) -> str:
        return str(self.control("say", **{"from": sender, "to": to, "text": text})["message_id"])

    def chat(self, who: str, chat_id: str) -> dict[str, Any]:
        """Return a chat on a person's phone."""
        (found,) = [chat for chat in self.control(f"inbox?who={quote(who)}")["chats"] if chat["id"] == chat_id]
        return found  # type: ignore[no-any-return]


class Shell:
    """A shell with its own home folder and a sandbox as the server."""

    def __init__(self, home: Path, server: str, record: Callable[[str, str], None], forks: Forks) -> None:
        self._forks = forks
        self.settings = Settings(home=home, server=server)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WEBWX_")},
            "WEBWX_HOME": str(home),
            "WEBWX_SERVER": server,
            "WEBWX_CONFIG": str(home.with_name("config.toml")),
        }
        self._record = record

    def run(self, *arguments: str | bytes, stdin: str | bytes | None = None, **environment: str) -> Finished:
        """Run `webwx` to its end; without `stdin`, that is /dev/null."""
        given, whole = stdin.encode() if isinstance(stdin, str) else stdin, self.environment | environment
        if fits(environment):
            done = self._forks.run([os.fsdecode(each) for each in arguments], given, whole, PATIENCE)
        else:
            done = subprocess.run(
                [WEBWX, *arguments], input=given, stdin=subprocess.DEVNULL if given is None else None, env=whole,
                capture_output=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
        finished = Finished(done.returncode, done.stdout.decode(), done.stderr.decode())
        self._record(f"webwx {arguments!r}", finished.stdout + finished.stderr)
        return finished

    def start(
        self,
        *arguments: str,
        stdin: IO[Any] | int = subprocess.DEVNULL,
        folder: Path | None = None,
        **environment: str,
    ) -> Started | Fork:
        """Start `webwx` in a fork."""
        if not fits(environment):
            return self.start_process(*arguments, stdin=stdin, folder=folder, **environment)
        streams = [stdin, subprocess.PIPE, subprocess.PIPE]
        return self._forks.start(list(arguments), self.environment | environment, folder, streams)

    def start_process(
        self,
        *arguments: str,
        stdin: IO[Any] | int = subprocess.DEVNULL,
        folder: Path | None = None,
        wrapper: Sequence[str] = (),
        **environment: str,
    ) -> Started:
        """Start `webwx` as users do, in its own interpreter; with a wrapper, by that program."""
        return Started(
            [*wrapper, WEBWX, *arguments],
            cwd=folder,
            env=self.environment | environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    @contextmanager
    def terminal(self, *arguments: str) -> Iterator[Terminal]:
        """Start `webwx` on a terminal; it ends with the block."""
        master, slave = pty.openpty()
        try:
            with os.fdopen(slave, "r+b", buffering=0) as screen:
                process = self._forks.start(list(arguments), self.environment, None, [screen] * 3)
            with process:
                try:
                    yield Terminal(master)
                finally:
                    process.terminate()
        finally:
            os.close(master)


class Terminal:
    """The text that a terminal shows."""

    def __init__(self, master: int) -> None:
        self._master = master
        self.shown = ""

    def wait_for(self, words: str) -> None:
        """Return once the terminal shows these words."""
        while words not in self.shown:
            self.shown += os.read(self._master, 10_000).decode()


class Started(subprocess.Popen[str]):
    """A running command; a test that fails does not wait for its end."""

    stdin: IO[str]
    stdout: IO[str]
    stderr: IO[str]

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *error)


class Finished:
    """A command that has ended."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr

    def __repr__(self) -> str:
        return f"Finished({self.code}, {self.stdout!r}, {self.stderr!r})"

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines that `--json` printed."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        """The only line that `--json` printed."""
        (line,) = self.lines
        return line

    @property
    def sentence(self) -> str:
        """The only line on stderr."""
        (line,) = self.stderr.splitlines()
        return line

    @property
    def error(self) -> dict[str, Any]:
        """The failure that `--json` printed."""
        error: dict[str, Any] = json.loads(self.sentence)["error"]
        return error


@pytest.fixture(scope="module")
def sandbox(forks: Forks) -> Iterator[Sandbox]:
    """A sandbox for the tests of a module."""
    with running_sandbox(forks) as sandbox:
        yield sandbox


@contextmanager
def running_sandbox(forks: Forks, *options: str) -> Iterator[Sandbox]:
    """Run a sandbox with options."""
    with forks.running(["sandbox", "--json", "--port", "0", *options], dict(os.environ), PATIENCE) as printed:
        yield Sandbox(json.loads(printed.readline()))


@pytest.fixture
def shell(sandbox: Sandbox, tmp_path: Path, secret_scanner: SecretScanner, forks: Forks) -> Shell:
    """A shell without a login."""
    return Shell(tmp_path / "home", sandbox.url, secret_scanner.record, forks)


@pytest.fixture
def me(shell: Shell, sandbox: Sandbox, secret_scanner: SecretScanner) -> Shell:
    """A shell in which 小明 has just logged in."""
    log_in("me", shell.settings, sandbox, secret_scanner)
    return shell


@pytest.fixture
def friend(shell: Shell, sandbox: Sandbox, secret_scanner: SecretScanner) -> Settings:
    """阿华, who has just logged in in the same shell with the account `friend`."""
    settings = replace(shell.settings, account="friend")
    log_in("阿华", settings, sandbox, secret_scanner)
    return settings


def log_in(who: str, settings: Settings, sandbox: Sandbox, secret_scanner: SecretScanner) -> None:
    """Save a login of a person as `webwx login` does, and make its keys known to the secret scanner."""

    def scan_and_confirm(_: object) -> None:
        sandbox.control("scan", who=who)
        sandbox.control("confirm", uuid="")

    async def log_in() -> SavedLogin | None:
        journal = SqliteJournal(settings.journal_path)
        async with AsyncClient(server=sandbox.url, store=store, journal=journal) as client:
            account = await client.login(show_qr=scan_and_confirm)
            await begin(journal.account(account.uin))
        await journal.close()
        return await store.load()

    store = LoginFile(settings.login_path)
    saved = asyncio.run(log_in())
    assert saved is not None
    secret_scanner.watch(secrets_of(saved.login))


def secrets_of(login: Login) -> set[str]:
    """Return the texts that no command may print."""
    keys = (
        "wxsid",
        "webwx_data_ticket",
        "webwx_auth_ticket",
        "webwxuvid",
    )  # The other cookies hold times and languages.
    cookies = {cookie.value for cookie in login.jar.cookies if cookie.name in keys}
    return {login.credentials.sid, login.credentials.skey, login.pass_ticket, *cookies} - {""}
