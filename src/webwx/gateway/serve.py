"""
The listener: uvicorn with the gateway's limits, started and stopped without losing anything.

At the end it accepts no more connections, ends the streams and finishes the requests in progress. Accounts that other
machines can run are handed over meanwhile; then all accounts are closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import uvicorn
from litestar.enums import ScopeType

from webwx.errors import InvalidSettings, SendOutcomeUnknown
from webwx.gateway.access.auth import SAFE_METHODS
from webwx.gateway.adapters.registry import ADAPTERS
from webwx.gateway.http.connections import LimitedConnection, LimitedWebSocket
from webwx.gateway.http.front import client_address
from webwx.gateway.http.refusals import refuse
from webwx.gateway.http.tls import TlsHandshake
from webwx.gateway.http.unauthenticated import Share, admission_of
from webwx.gateway.problems import GatewayProblem, answer_of
from webwx.gateway.process.freed_memory import return_freed_memory
from webwx.gateway.process.open_files import raise_limit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from webwx.gateway.app import Gateway
    from webwx.gateway.config import GatewayConfig

_GRACE = 8
"""Seconds that requests in progress have to finish at the end."""

_RETRY_AFTER = 2.0
"""Seconds after which another gateway, or the next process, may answer an unfinished request."""

_STOPPING = "The gateway stops, or stops to run the account"

_PARTS = 2
"""Part of the connections that one address may have without a valid key."""

_BACKLOG = 256
"""Connections that may wait to be accepted."""

_LONGEST_FRAME = 1024 * 1024
"""Maximum number of bytes of a WebSocket message from a client."""


class Listener(NamedTuple):
    """An open port."""

    socket: socket.socket
    url: str
    """Address for programs of this machine."""


_NONE: Mapping[str, Listener] = {}


def listen(config: GatewayConfig) -> Listener:
    """
    Open the port.

    Raises:
        InvalidSettings: The configuration would carry keys over a network in clear text.
        OSError: The port is in use, or needs privileges, or the address is not of this machine.
    """
    config.check(ADAPTERS)
    return listen_on(config, config.listen.host, config.listen.port)


def listen_on(config: GatewayConfig, host: str, port: int) -> Listener:
    """
    Open a port of a configuration that was checked.

    Raises:
        OSError: The port is in use, or needs privileges, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    opened.setblocking(False)
    # Inherited by its connections. An answer is written in two parts, and without this option the second one would
    # wait up to 40 ms for the acknowledgement of the first one.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = opened.getsockname()[1]
    shown = "127.0.0.1" if host in {"0.0.0.0", "localhost"} else "[::1]" if host == "::" else host  # noqa: S104
    shown = f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
    return Listener(opened, f"{'https' if config.has_tls else 'http'}://{shown}:{port}")


async def serve(
    gateway: Gateway, listener: Listener, on_ready: Callable[[], object], own: Mapping[str, Listener] = _NONE
) -> None:
    """
    Serve until the task is cancelled, then finish what is in progress.

    Args:
        gateway: The gateway.
        listener: The open port.
        on_ready: Called when requests are answered.
        own: Further open ports, which belong to one adapter each, by the names of the adapters.

    Raises:
        InvalidSettings: The certificate or its key cannot be used.
    """
    server = _server_of(gateway, on_ready)
    await gateway.start()
    try:
        await _run(gateway, server, listener, own)
    finally:
        await gateway.close()


async def serve_started(
    gateway: Gateway, listener: Listener, on_ready: Callable[[], object], own: Mapping[str, Listener] = _NONE
) -> None:
    """Serve a gateway as `serve` does; the caller has started it and closes it."""
    await _run(gateway, _server_of(gateway, on_ready), listener, own)


def _server_of(gateway: Gateway, on_ready: Callable[[], object]) -> _GatewayServer:
    def begin() -> None:
        on_ready()
        gateway.begin_serving()

    return _GatewayServer(_uvicorn_config(gateway), begin, gateway.begin_closing)


async def _run(gateway: Gateway, server: _GatewayServer, listener: Listener, own: Mapping[str, Listener]) -> None:
    raise_limit()
    for name, each in own.items():
        gateway.adapter_listeners.add(name, each.socket.getsockname()[1], each.url)
    sockets = [listener.socket, *(each.socket for each in own.values())]
    serving = asyncio.ensure_future(server.serve(sockets=sockets))
    returning = asyncio.ensure_future(return_freed_memory())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        notify_systemd("STOPPING=1")
        server.should_exit = True
        try:
            await serving
        except asyncio.CancelledError:  # a second one does not wait for anything
            gateway.stop_waiting()
            raise
        raise
    finally:
        returning.cancel()


def _answering_at_end(gateway: Gateway) -> ASGIApp:
    """
    Return the application; it answers requests that are not finished at the end, instead of failing.

    A request whose account is handed over is answered in this way too, if its work has not ended in time.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        has_read = is_answered = False

        async def receive_noted() -> Any:
            nonlocal has_read
            message = await receive()
            has_read = has_read or (message["type"] == "http.request" and not message.get("more_body"))
            return message

        def send_noted(message: Message) -> Awaitable[None]:  # no coroutine of its own: streams send a lot
            nonlocal is_answered
            is_answered = True
            return send(message)

        admission = admission_of(scope)
        counted = contextlib.nullcontext() if admission is None else admission.request(client_address(scope))
        try:
            with counted:
                await gateway.app(scope, receive_noted, send_noted)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling() and not gateway.streams.is_closing:
                raise
            if not is_answered:
                await refuse(scope, send, answer_of(_unfinished(scope, has_read=has_read)))

    return answer


def _unfinished(scope: Scope, *, has_read: bool) -> Exception:
    """Return the problem of a request that was not finished; a change may have been made once its body was read."""
    if has_read and scope["type"] == ScopeType.HTTP and scope["method"] not in SAFE_METHODS:
        return SendOutcomeUnknown(f"{_STOPPING}; check what was done before you repeat this.")
    return GatewayProblem("unavailable", f"{_STOPPING}; repeat the request.", retry_after=_RETRY_AFTER)


def _uvicorn_config(gateway: Gateway) -> uvicorn.Config:
    config = gateway.config
    limits, context = config.limits, check_certificate(config)
    share = Share(max(1, limits.connections // _PARTS))
    make_http = partial(
        LimitedConnection, header=limits.header, patience=limits.patience, share=share, proxy=config.listen.behind_proxy
    )

    def make_connection(*args: Any, **named: Any) -> asyncio.Protocol:
        http = make_http(*args, **named)
        return http if context is None else TlsHandshake(http, context, limits.patience)

    made = uvicorn.Config(
        cast("Any", _answering_at_end(gateway)),
        http=cast("type[asyncio.Protocol]", make_connection),  # anything that makes a protocol
        lifespan="off",
        ws=cast("type[asyncio.Protocol]", partial(LimitedWebSocket, patience=limits.patience)),
        ws_max_size=_LONGEST_FRAME,
        log_config=None,
        log_level="warning",  # its other records contain paths, such as the token of a receiver
        access_log=False,
        server_header=False,
        proxy_headers=bool(config.listen.behind_proxy),
        forwarded_allow_ips=config.listen.behind_proxy or None,
        limit_concurrency=limits.connections,
        timeout_keep_alive=cast("int", limits.patience),  # any number of seconds
        timeout_graceful_shutdown=_GRACE,
    )
    made.load()
    return made


def check_certificate(config: GatewayConfig) -> ssl.SSLContext | None:
    """
    Check that the files of TLS can be used, and return a context with them; None without TLS.

    Raises:
        InvalidSettings: One of them cannot be read, or they do not belong together.
    """
    if not config.has_tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(config.tls.certificate, config.tls.key)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSettings(f"The certificate or its key cannot be used: {error}.") from None
    return context


class _GatewayServer(uvicorn.Server):
    """A uvicorn server without signal handlers: the caller cancels the coroutine."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object], on_end: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_end = on_end

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the caller."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and call `on_ready`."""
        await super().startup(sockets)
        if self.started:
            notify_systemd("READY=1")
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first, so that their connections close."""
        self._on_end()
        await super().shutdown(sockets)


def on_hangup(reread: Callable[[], object]) -> None:
    """Call a function at each SIGHUP, where the system has that signal."""
    with contextlib.suppress(AttributeError, NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reread)


def notify_systemd(state: str) -> None:
    """Send a state to systemd, if it started this process with `Type=notify`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):  # an abstract socket
        address = f"\0{address[1:]}"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
