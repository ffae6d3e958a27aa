"""The sandbox's control API from the command line: one request, and its refusals in the sandbox's own words."""

from __future__ import annotations

import json
from typing import Any

import click

from webwx.cli.exits import BadInput, CommandFailed
from webwx.protocol.codec import clean_text
from webwx.protocol.hosts import single
from webwx.protocol.http import Request
from webwx.transport.default import default_transport


async def ask_phones(server: str | None, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """
    Ask the control API: GET without fields, else POST.

    Raises:
        click.UsageError: No server is named.
        CommandFailed: It is no sandbox.
        BadInput: The sandbox says no.
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
    try:
        answer: dict[str, Any] = json.loads(response.body)
        refusal = answer.get("error")
    except (ValueError, AttributeError):
        raise CommandFailed("There is a server, but it has no phones; is it a 'webwx sandbox'?") from None
    if refusal:
        raise BadInput(refusal)
    return answer


def _cleaned(value: Any) -> Any:
    """Replace half characters, which a terminal can type and JSON cannot hold."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {name: _cleaned(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    return value


def _control_url(server: str | None) -> str:
    if server is None:
        raise click.UsageError("No sandbox is named; give the address it printed as --server or WEBWX_SERVER")
    return f"{single(server.rstrip('/').removesuffix('/control')).main}/control"
