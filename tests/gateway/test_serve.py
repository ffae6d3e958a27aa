"""The listener: its addresses, and its messages to systemd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.client.virtual_loop import on_virtual_clock
from tests.gateway.conftest import SERVER

from webwx.bot.bot import Bot
from webwx.errors import InvalidSettings
from webwx.gateway.bots.bots import AssignedBot, HostedBots
from webwx.gateway.config import GatewayConfig, LimitsTable, ListenTable, TlsTable
from webwx.gateway.process.open_files import raise_limit
from webwx.gateway.serve import (
    check_certificate,
    listen,
    notify_systemd,
    on_hangup,
    serve,
    serve_started,
)
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter, Task
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.conftest import Running, StartGateway

    from webwx.bot.context import Context
    from webwx.bot.http_handlers import HttpRequest


def test_a_free_port_is_opened_and_its_address_shown() -> None:
    listener = listen(GatewayConfig(listen=ListenTable(port=0)))
    with listener.socket:
        assert listener.url == f"http://127.0.0.1:{listener.socket.getsockname()[1]}"


def test_a_connection_sends_the_second_part_of_an_answer_at_once() -> None:
    listener = listen(GatewayConfig(listen=ListenTable(port=0)))
    with listener.socket as listening:
        listening.setblocking(True)
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_would_show_keys_to_a_network_is_refused() -> None:
    with pytest.raises(InvalidSettings):
        listen(GatewayConfig(listen=ListenTable(host="0.0.0.0", port=0)))


async def test_the_gateway_serves_until_it_is_cancelled(start_gateway: StartGateway) -> None:
    ready = asyncio.Event()
    async with start_gateway() as running:
        listener = listen(GatewayConfig(listen=ListenTable(port=0)))
        task = asyncio.ensure_future(serve(running.gateway, listener, ready.set))
        await ready.wait()
        reader, writer = await asyncio.open_connection(*listener.socket.getsockname())
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert running.gateway.streams.is_closing


POST = b"POST /api/v1/console/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{"
"""A request whose body lacks one byte."""


@contextlib.asynccontextmanager
async def ending(start_gateway: StartGateway) -> AsyncIterator[tuple[StreamReader, StreamWriter, Task[None]]]:
    """Send `POST` to a gateway, and begin to end the gateway; yield the connection and the task that ends it."""
    ready = asyncio.Event()
    async with start_gateway(GatewayConfig(limits=LimitsTable(patience=100))) as running:
        listener = listen(GatewayConfig(listen=ListenTable(port=0)))
        task = asyncio.ensure_future(serve_started(running.gateway, listener, ready.set))
        await ready.wait()
        reader, writer = await asyncio.open_connection(*listener.socket.getsockname())
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + POST)
        await reader.readuntil(b"ok")  # so the gateway has received what follows it as well
        task.cancel()
        yield reader, writer, task
        writer.close()


@on_virtual_clock
async def test_a_request_in_progress_is_answered_before_the_end(start_gateway: StartGateway) -> None:
    async with ending(start_gateway) as (reader, writer, task):
        await asyncio.sleep(7)
        writer.write(b"}")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        with pytest.raises(asyncio.CancelledError):
            await task


@on_virtual_clock
async def test_a_request_that_does_not_end_is_refused_after_eight_seconds(
    start_gateway: StartGateway, caplog: pytest.LogCaptureFixture
) -> None:
    async with ending(start_gateway) as (reader, _, task):
        begun = asyncio.get_running_loop().time()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.get_running_loop().time() - begun == pytest.approx(8, abs=0.5)
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 503")
    assert b'"code":"unavailable"' in answer
    assert "Traceback" not in caplog.text


def hanging(has_begun: asyncio.Event) -> Bot:
    """Return a bot whose functions set an event, and never end."""
    bot = Bot(server=SERVER)

    @bot.on_http("/hang")
    async def call(ctx: Context, request: HttpRequest) -> None:
        has_begun.set()
        await asyncio.Event().wait()

    @bot.on(TextMessage, text="hang")
    async def handle(ctx: Context, message: TextMessage) -> None:
        has_begun.set()
        await asyncio.Event().wait()

    return bot


@contextlib.asynccontextmanager
async def serving_a_bot(
    start_gateway: StartGateway, bot: Bot
) -> AsyncIterator[tuple[Running, tuple[str, int], Task[None]]]:
    """Serve a gateway with a running bot; yield it with its address and the task that serves."""
    ready, bots = asyncio.Event(), HostedBots([AssignedBot(bot)])
    async with start_gateway(bots=bots) as running:
        await running.log_in()
        await until(lambda: bots.runs[0].state == "running")
        listener = listen(GatewayConfig(listen=ListenTable(port=0)))
        task = asyncio.ensure_future(serve_started(running.gateway, listener, ready.set))
        await ready.wait()
        yield running, listener.socket.getsockname(), task


@on_virtual_clock
async def test_a_change_that_does_not_end_is_answered_with_an_unknown_outcome(start_gateway: StartGateway) -> None:
    has_begun = asyncio.Event()
    async with serving_a_bot(start_gateway, hanging(has_begun)) as (running, address, task):
        reader, writer = await asyncio.open_connection(*address)
        key = await running.key("bots")
        writer.write(
            f"POST /bots/bot/hang HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
            "Content-Length: 2\r\n\r\nhi".encode()
        )
        await has_begun.wait()
        task.cancel()
        answer = await reader.read()
        writer.close()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert answer.startswith(b"HTTP/1.1 409")
    assert b'"code":"send-outcome-unknown"' in answer


@on_virtual_clock
async def test_a_second_cancellation_waits_neither_for_requests_nor_for_handlers(start_gateway: StartGateway) -> None:
    has_begun = asyncio.Event()
    async with serving_a_bot(start_gateway, hanging(has_begun)) as (running, address, task):
        _, writer = await asyncio.open_connection(*address)
        writer.write(POST)
        running.world.say("ahua", "me", "hang")
        await has_begun.wait()
        begun = asyncio.get_running_loop().time()
        task.cancel()
        await until(lambda: running.gateway.streams.is_closing)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        writer.close()
    assert asyncio.get_running_loop().time() - begun < 1


async def test_a_certificate_that_cannot_be_read_is_refused(start_gateway: StartGateway, tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("no certificate")
    path = str(tmp_path / "a.pem")
    config = GatewayConfig(listen=ListenTable(port=0), tls=TlsTable(certificate=path, key=path))
    with pytest.raises(InvalidSettings, match="certificate"):
        check_certificate(config)
    async with start_gateway(config) as running:
        listener = listen(config)
        with listener.socket, pytest.raises(InvalidSettings, match="certificate"):
            await serve(running.gateway, listener, lambda: None)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
async def test_sighup_calls_the_callback() -> None:
    received = asyncio.Event()
    on_hangup(received.set)
    os.kill(os.getpid(), signal.SIGHUP)
    await received.wait()
    asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_low_limit_of_open_files_is_raised() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 1000
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd listens on such a socket")
def test_systemd_gets_the_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    notify_systemd("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "s"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "s"))
        notify_systemd("READY=1")
        assert systemd.recv(100) == b"READY=1"
    notify_systemd("STOPPING=1")
