"""
Reports of ended logins to the owner by a command, a webhook or a mail, because WeChat cannot deliver them.

The text names the account and how many messages wait for it, never a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import smtplib
import ssl
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import msgspec

from webwx.errors import InvalidSettings, TransportError
from webwx.gateway.config import is_loopback
from webwx.gateway.outgoing.addresses import AddressRefused, read_target
from webwx.gateway.problems import CHANNEL_FAILED, code_of_error
from webwx.representations.fallback import TestedChannel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from webwx.gateway.accounts.account import AccountStatus, GatewayAccounts
    from webwx.gateway.config import FallbackTable
    from webwx.gateway.receivers.notification_queue import NotificationQueue
    from webwx.representations.fallback import ChannelName

_log = logging.getLogger("webwx.gateway")

ATTEMPTS = (0.0, 60.0, 300.0, 1800.0)
"""Seconds before each attempt to reach the owner."""

_PATIENCE = 30.0
"""Seconds that a command or a mail server may take."""
_TLS_FROM_THE_START = 465


class ChannelFailed(Exception):
    """
    A channel could not reach the owner.

    Args:
        reason: One sentence.
        code: Code of the error, as of a problem or of `FAILURES`.
    """

    def __init__(self, reason: str, *, code: str = CHANNEL_FAILED) -> None:
        super().__init__(reason)
        self.code = code


class FallbackChannel(Protocol):
    """A channel to the owner."""

    @property
    def name(self) -> ChannelName:
        """Name of the channel, as the API shows it."""
        ...

    async def send(self, subject: str, text: str) -> None:
        """
        Send a text.

        Raises:
            ChannelFailed: The text was not sent.
        """
        ...


class CommandChannel:
    """
    Runs a program that gets the text on stdin.

    Args:
        command: The program and its arguments; no shell is involved.
    """

    name: ChannelName = "command"

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    async def send(self, subject: str, text: str) -> None:
        """Run the program, and wait for its end."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            raise ChannelFailed(f"The command cannot be started: {error.strerror}.") from None
        try:
            async with asyncio.timeout(_PATIENCE):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it does not read its stdin
                    await process.communicate(f"{subject}\n\n{text}\n".encode())
                code = await process.wait()
        except TimeoutError:
            raise ChannelFailed(f"The command did not end within {_PATIENCE:g} seconds.") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if code:
            raise ChannelFailed(f"The command ended with code {code}.")


class MailChannel:
    """
    Sends a mail over SMTP, encrypted unless the server is on this machine.

    Args:
        table: The settings.
    """

    name: ChannelName = "mail"

    def __init__(self, table: FallbackTable) -> None:
        self._table = table

    async def send(self, subject: str, text: str) -> None:
        """Send the mail."""
        try:
            await asyncio.to_thread(self._send, subject, text)
        except (OSError, smtplib.SMTPException, ssl.SSLError) as error:
            raise ChannelFailed(f"The mail could not be sent ({type(error).__name__}).") from None

    def _send(self, subject: str, text: str) -> None:
        table = self._table
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = subject, table.mail_from or table.mail_to, table.mail_to
        mail.set_content(text)
        context = ssl.create_default_context()
        if table.smtp_port == _TLS_FROM_THE_START:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                table.smtp_host, table.smtp_port, timeout=_PATIENCE, context=context
            )
        else:
            server = smtplib.SMTP(table.smtp_host, table.smtp_port, timeout=_PATIENCE)
        with server:
            if table.smtp_port != _TLS_FROM_THE_START and not is_loopback(table.smtp_host):
                server.starttls(context=context)
            if table.smtp_user:
                password = Path(table.smtp_password_file).read_text(encoding="utf-8").strip()
                server.login(table.smtp_user, password)
            server.send_message(mail)


class WebhookChannel:
    """
    Posts a JSON object with `title` and `text`.

    Args:
        url: Address of the webhook.
        allow_private: Whether to allow a host of this machine or of a private network.
    """

    name: ChannelName = "webhook"

    def __init__(self, url: str, *, allow_private: bool) -> None:
        self._url = url
        self._allow_private = allow_private

    async def send(self, subject: str, text: str) -> None:
        """Post the text."""
        from webwx.gateway.outgoing.outgoing import OutgoingClient  # rarely needed, and slow to import

        body = msgspec.json.encode({"title": subject, "text": text})
        headers = {"Content-Type": "application/json"}
        try:
            async with OutgoingClient() as outgoing:
                answer = await outgoing.post(self._url, body, headers, allow_private=self._allow_private)
        except (AddressRefused, TransportError) as error:
            raise ChannelFailed(f"The webhook was not called: {error}", code=code_of_error(error)) from None
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise ChannelFailed(f"The webhook answered with status {answer.status}.")


def channels_of(table: FallbackTable) -> list[FallbackChannel]:
    """
    Return the channels that are set up.

    Raises:
        InvalidSettings: There is no such program, the gateway does not call the webhook's address, or a setting of the
            mail is missing.
    """
    channels: list[FallbackChannel] = []
    if table.command:
        if shutil.which(table.command[0]) is None:
            raise InvalidSettings(f"[fallback] has 'command', but there is no program {table.command[0]!r}.")
        channels.append(CommandChannel(table.command))
    if table.webhook:
        try:
            read_target(table.webhook, allow_private=table.webhook_allow_private)
        except AddressRefused as refused:
            raise InvalidSettings(f"The 'webhook' of [fallback] cannot be called. {refused}") from None
        channels.append(WebhookChannel(table.webhook, allow_private=table.webhook_allow_private))
    if table.smtp_host:
        if not table.mail_to:
            raise InvalidSettings("[fallback] has 'smtp_host', and needs 'mail_to' as well.")
        if table.smtp_user and not table.smtp_password_file:
            raise InvalidSettings("[fallback] has 'smtp_user', and needs 'smtp_password_file' as well.")
        channels.append(MailChannel(table))
    return channels


class Fallback:
    """
    Reports each end of a login once, on every channel.

    Args:
        port: The accounts.
        queue: Counts the waiting messages.
        channels: The channels.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        port: GatewayAccounts,
        queue: NotificationQueue,
        channels: Sequence[FallbackChannel],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._port = port
        self._queue = queue
        self._channels = channels
        self._sleep = sleep
        self._reported: set[int] = set()
        """Numbers of the accounts whose logged-out state was reported since their last login."""
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def channels(self) -> list[ChannelName]:
        """The names of the channels."""
        return [channel.name for channel in self._channels]

    async def send_test(self) -> list[TestedChannel]:
        """Send a test text once on every channel, and return the outcome of each."""
        return await asyncio.gather(*map(self._try, self._channels))

    async def _try(self, channel: FallbackChannel) -> TestedChannel:
        try:
            await channel.send("webwx: test", "This is how the end of a login is reported.")
        except ChannelFailed as failure:
            return TestedChannel(channel=channel.name, error=str(failure), error_code=failure.code)
        return TestedChannel(channel=channel.name, error="")

    async def run(self) -> NoReturn:
        """Report each end of a login, without end."""
        changes = self._port.watch_states(owned=True)
        try:
            while True:
                async for status in changes:
                    await self.note(status)
        finally:
            for task in self._sending:
                task.cancel()
            if self._sending:
                await asyncio.wait(self._sending)

    async def note(self, status: AccountStatus) -> None:
        """Begin to report an account whose login has ended; after its next login the next end is reported again."""
        if status.state == "online":
            self._reported.discard(status.number)
        elif status.state == "logged_out" and status.number not in self._reported:
            self._reported.add(status.number)
            for channel in self._channels:
                task = asyncio.ensure_future(self._report(channel, status))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    async def _report(self, channel: FallbackChannel, status: AccountStatus) -> None:
        for pause in ATTEMPTS:
            await self._sleep(pause)
            if status.number not in self._reported:
                return
            try:
                await channel.send(f"webwx: the login of {status.name} has ended", await self._text(status))
            except ChannelFailed as failure:
                _log.warning("The end of a login was not reported. %s", failure)
            else:
                return

    async def _text(self, status: AccountStatus) -> str:
        waiting = await self._queue.waiting_for_account(status.number)
        reason = f" {status.error}" if status.error else ""
        return (
            f"The login of the account {status.name!r} has ended, so no message reaches your phone.{reason}\n"
            f"Messages that wait: {waiting}.\n"
            "Log in again in the console; 'webwx serve pair' prints its address."
        )
