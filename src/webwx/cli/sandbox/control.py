"""Client of the sandbox's control API; refusals keep the sandbox's text."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import stat
from contextlib import suppress
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

import click

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.language import _
from webwx.protocol.codec import clean_text
from webwx.protocol.hosts import single
from webwx.protocol.http import Request
from webwx.sandbox.control import MAX_UPLOAD, UPLOAD_TYPE
from webwx.transport.default import default_transport
from webwx.transport.failures import Failures

POLL_INTERVAL = 0.25
"""Seconds between two requests of a command that waits for a change."""

_PATIENCE = 60.0
"""Maximum seconds for one piece of a file, or for the answer."""

_PIECE = 1024 * 1024
"""Bytes of a file that are read and sent at a time."""


async def ask_phones(server: str | None, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """
    Ask the control API: GET without fields, else POST.

    Raises:
        click.UsageError: No server is named.
        CommandFailed: The server is not a sandbox.
        BadInput: The sandbox refused.
    """
    network = default_transport()
    try:
        response = await network.send(
            Request(
                endpoint="control",
                method="GET" if fields is None else "POST",
                url=f"{_control_url(server)}/{path}",
                headers=(("Content-Type", "application/json"),),
                body=b"" if fields is None else json.dumps(_cleaned(fields)).encode(),
            )
        )
    finally:
        await network.close()
    return _read(response.body)


async def send_file(server: str | None, path: str, fields: dict[str, Any], file: BinaryIO) -> dict[str, Any]:
    """
    Post the content of a file in pieces, with the other fields in the query.

    Raises:
        click.UsageError: No server is named.
        CommandFailed: The server is not a sandbox.
        BadInput: The sandbox refused, or the file is too large.
        ConnectFailed: There is no server.
        TransportError: The connection broke.
    """
    content, size = _sized(file)
    if size > MAX_UPLOAD:
        raise BadInput(
            _("{name} has {size:,} bytes; a sandbox phone sends at most {max_upload:,}.").format(
                name=file.name, size=size, max_upload=MAX_UPLOAD
            )
        )
    origin = urlsplit(_control_url(server))
    kind = http.client.HTTPSConnection if origin.scheme == "https" else http.client.HTTPConnection
    connection = kind(origin.netloc, timeout=_PATIENCE, blocksize=_PIECE)
    query = urlencode({name: _in_query(value) for name, value in _cleaned(fields).items()}, quote_via=quote)
    address = f"{origin.path}/{path}?{query}"
    headers = {"Content-Type": UPLOAD_TYPE, "Content-Length": str(size)}

    def send() -> bytes:
        connection.request("POST", address, content, headers)
        return connection.getresponse().read()

    failures = Failures("control", origin.netloc)
    try:
        await asyncio.to_thread(connection.connect)
    except OSError:
        raise failures.no_connection() from None
    try:
        return _read(await asyncio.to_thread(send))
    except (OSError, http.client.HTTPException):
        raise failures.broken_off() from None
    finally:
        hang_up(connection)


def hang_up(connection: http.client.HTTPConnection) -> None:
    """Close a connection, also under a thread that still uses it after the wait for it has ended."""
    line: socket.socket | None = connection.sock  # None: already closed
    if line is not None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
    connection.close()


def _read(body: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(body)
        refusal = answer.get("error")
    except (ValueError, AttributeError):
        raise CommandFailed(_("The server has no control API; pass the address of a 'webwx sandbox'.")) from None
    if refusal:
        raise BadInput(refusal)
    return answer


def _sized(file: BinaryIO) -> tuple[BinaryIO | bytes, int]:
    """Return a file and its size; a pipe is read to its end first, because its size is unknown."""
    about = os.fstat(file.fileno())
    if stat.S_ISREG(about.st_mode):
        return file, max(0, about.st_size - file.tell())
    content = file.read()
    return content, len(content)


def _in_query(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cleaned(value: Any) -> Any:
    """Replace lone surrogates, which a terminal can produce and JSON cannot encode."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {name: _cleaned(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    return value


def _control_url(server: str | None) -> str:
    if server is None:
        raise click.UsageError(_("No sandbox given; pass the address that it printed as --server or WEBWX_SERVER"))
    return f"{single(server.rstrip('/').removesuffix('/control')).main}/control"
