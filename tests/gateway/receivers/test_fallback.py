"""The end of a login is reported by a command or a mail, once."""

from __future__ import annotations

import asyncio
import os
import smtplib
import sys
from typing import TYPE_CHECKING

import pytest
from tests.client.virtual_loop import on_virtual_clock
from tests.tcp_server import tcp_server

from webwx.errors import InvalidSettings
from webwx.gateway.accounts.account import AccountStatus
from webwx.gateway.config import FallbackTable, GatewayConfig
from webwx.gateway.receivers.fallback import (
    ATTEMPTS,
    ChannelFailed,
    CommandChannel,
    Fallback,
    MailChannel,
    WebhookChannel,
    channels_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.gateway.conftest import Running, StartGateway

    from webwx.representations.fallback import ChannelName


def writes_to(path: Path) -> tuple[str, ...]:
    """Return a command that appends its stdin to a file."""
    return (sys.executable, "-c", f"import sys; open({str(path)!r}, 'a').write(sys.stdin.read())")


async def test_the_end_of_a_login_runs_the_command(start_gateway: StartGateway, tmp_path: Path) -> None:
    path = tmp_path / "report"
    os.mkfifo(path)
    async with start_gateway(GatewayConfig(fallback=FallbackTable(command=writes_to(path)))) as running:
        await running.log_in()
        await running.port.account(1).client.logout()
        text = await asyncio.to_thread(path.read_text)
    assert text.startswith("webwx: the login of default has ended\n\n")
    assert "Messages that wait: 0." in text


class Channel:
    """A channel that fails a number of times."""

    name: ChannelName = "command"

    def __init__(self, failures: int = 0) -> None:
        self.sent: asyncio.Queue[str] = asyncio.Queue()
        self._failures = failures

    async def send(self, subject: str, text: str) -> None:
        self.sent.put_nowait(text)
        self._failures -= 1
        if self._failures >= 0:
            raise ChannelFailed("It is broken.")


def status(state: str) -> AccountStatus:
    return AccountStatus(number=1, name="default", state=state, since=0)  # type: ignore[arg-type]


async def test_an_end_is_reported_once_until_the_next_login(running: Running) -> None:
    channel, pauses = Channel(), list[float]()
    fallback = fallback_of(running, channel, pauses)
    for state in ("logged_out", "logged_out", "degraded", "logged_out"):
        await fallback.note(status(state))
    await channel.sent.get()
    for state in ("logged_out", "online", "logged_out"):
        await fallback.note(status(state))
    await channel.sent.get()
    assert (channel.sent.qsize(), pauses) == (0, [0.0, 0.0])


async def test_a_channel_that_fails_is_tried_again(running: Running) -> None:
    channel, pauses = Channel(failures=3), list[float]()
    await fallback_of(running, channel, pauses).note(status("logged_out"))
    for _ in ATTEMPTS:
        await channel.sent.get()
    assert pauses == [0, 60, 300, 1800] == list(ATTEMPTS)


@on_virtual_clock
async def test_a_failed_report_is_not_repeated_after_a_new_login(start_gateway: StartGateway) -> None:
    channel = Channel(failures=1)
    async with start_gateway() as running:
        fallback = Fallback(running.gateway.port, running.gateway.notifications, [channel], asyncio.sleep)
        await fallback.note(status("logged_out"))
        await asyncio.sleep(30)
        await fallback.note(status("online"))
        await asyncio.sleep(2 * ATTEMPTS[1])
    assert channel.sent.qsize() == 1


class EndlessChannel(Channel):
    """A channel whose send never ends, and needs a moment to stop."""

    stopped = False

    async def send(self, subject: str, text: str) -> None:
        self.sent.put_nowait(text)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(lambda: None)
            self.stopped = True


async def test_a_report_in_progress_has_stopped_when_the_fallback_has(running: Running) -> None:
    channel = EndlessChannel()
    fallback = fallback_of(running, channel, [])
    task = asyncio.ensure_future(fallback.run())
    await fallback.note(status("logged_out"))
    await channel.sent.get()
    task.cancel()
    await asyncio.wait([task])
    assert channel.stopped


def fallback_of(running: Running, channel: Channel, pauses: list[float]) -> Fallback:
    """Return a fallback that records its pauses without waiting."""

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    return Fallback(running.gateway.port, running.gateway.notifications, [channel], sleep)


@pytest.mark.parametrize(
    ("command", "reason"),
    [(("/no/such/program",), "cannot be started"), ((sys.executable, "-c", "raise SystemExit(3)"), "code 3")],
)
async def test_the_failure_of_a_command_has_a_reason(command: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ChannelFailed, match=reason):
        await CommandChannel(command).send("s", "t")


@on_virtual_clock
async def test_a_command_that_does_not_end_is_stopped_after_half_a_minute(tmp_path: Path) -> None:
    loop, fifo = asyncio.get_running_loop(), tmp_path / "pid"
    os.mkfifo(fifo)
    script = f"import os, time; open({str(fifo)!r}, 'w').write(str(os.getpid())); time.sleep(3600)"
    reading, begun = asyncio.ensure_future(asyncio.to_thread(fifo.read_text)), loop.time()
    sending = asyncio.ensure_future(CommandChannel((sys.executable, "-c", script)).send("s", "t"))
    pid = int(await reading)
    with pytest.raises(ChannelFailed, match="within 30 seconds"):
        await sending
    assert loop.time() - begun == pytest.approx(30, abs=5)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_webhook_is_called() -> None:
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        received.append(await reader.readexactly(length))
        status = b"204 No Content" if head.startswith(b"POST /ok ") else b"500 Internal Server Error"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with tcp_server(serve) as port:
        url = f"http://127.0.0.1:{port}"
        await WebhookChannel(f"{url}/ok", allow_private=True).send("s", "t")
        with pytest.raises(ChannelFailed, match="answered with status 500"):
            await WebhookChannel(f"{url}/broken", allow_private=True).send("s", "t")
        with pytest.raises(ChannelFailed, match="was not called"):
            await WebhookChannel(f"{url}/ok", allow_private=False).send("s", "t")
    assert received[0] == b'{"title":"s","text":"t"}'
    with pytest.raises(ChannelFailed, match="was not called"):
        await WebhookChannel(f"{url}/ok", allow_private=True).send("s", "t")


async def test_a_mail_is_sent() -> None:
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                received.append(await reader.readuntil(b"\r\n.\r\n"))
            writer.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")
        writer.close()

    async with tcp_server(serve) as port:
        table = FallbackTable(smtp_host="127.0.0.1", smtp_port=port, mail_to="me@example.org")
        await MailChannel(table).send("Subject of it", "the text")
    assert b"Subject: Subject of it" in received[0]
    assert b"\r\n\r\nthe text\r\n" in received[0]
    with pytest.raises(ChannelFailed, match="could not be sent"):
        await MailChannel(table).send("s", "t")


class MailServer:
    """A client of a mail server that only records how it is used."""

    def __init__(self, uses: list[str], kind: str) -> None:
        self._uses = uses
        self._kind = kind

    def __call__(self, host: str, port: int, *, timeout: float, **_: object) -> MailServer:
        self._uses.append(f"{self._kind} {host}:{port} within {timeout:g} s")
        return self

    def __enter__(self) -> MailServer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: self._uses.append(name)


@pytest.mark.parametrize(
    ("host", "port", "uses"),
    [
        ("127.0.0.1", 25, ["SMTP 127.0.0.1:25 within 30 s", "login", "send_message"]),
        ("mail.example.org", 587, ["SMTP mail.example.org:587 within 30 s", "starttls", "login", "send_message"]),
        ("mail.example.org", 465, ["SMTP_SSL mail.example.org:465 within 30 s", "login", "send_message"]),
    ],
)
async def test_a_mail_server_on_another_machine_gets_the_password_over_tls_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, port: int, uses: list[str]
) -> None:
    used: list[str] = []
    for kind in ("SMTP", "SMTP_SSL"):
        monkeypatch.setattr(smtplib, kind, MailServer(used, kind))
    (tmp_path / "password").write_text("secret\n")
    table = FallbackTable(
        smtp_host=host, smtp_port=port, smtp_user="me", smtp_password_file=str(tmp_path / "password"),
        mail_to="me@example.org",
    )  # fmt: skip
    await MailChannel(table).send("s", "t")
    assert uses == used


def test_the_settings_are_checked() -> None:
    assert channels_of(FallbackTable()) == []
    assert (
        len(channels_of(FallbackTable(command=("true",), webhook="https://x.example", smtp_host="h", mail_to="m"))) == 3
    )
    for table in (
        FallbackTable(smtp_host="h"),
        FallbackTable(smtp_host="h", mail_to="m", smtp_user="u"),
        FallbackTable(command=("/no/such/program",)),
        FallbackTable(webhook="ftp://x.example"),
        FallbackTable(webhook="http://127.0.0.1/"),
    ):
        with pytest.raises(InvalidSettings):
            channels_of(table)
