"""The adapters of the gateway: one row for each, and its class is imported when it is used."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import InvalidRequest
from webwx.gateway.adapters.agent_configs import address_configs

if TYPE_CHECKING:
    from webwx.gateway.adapters.adapter import Adapter

PREFIX = "/adapters/"
"""Begin of the paths that every adapter has: `/adapters/<name>`, and then a path of its protocol; without one, `/`."""


class AdapterPath(msgspec.Struct, frozen=True):
    """An adapter that a request is for."""

    name: str
    """Name of the adapter."""
    path: str
    """Path of the request in the adapter's protocol."""

    def __repr__(self) -> str:
        return f"AdapterPath({self.name})"


class AdapterEntry(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What the gateway knows of an adapter that is not imported."""

    title: str
    """Name of the protocol for people."""
    summary: str
    """What programs do with it: one sentence."""
    place: str
    """Module and class of the adapter, such as `webwx.gateway.adapters.mcp.adapter:McpAdapter`."""
    root: str = ""
    """
    Regular expression of the paths that it has beside `/adapters/<name>/`, because its clients have them built in.

    They must not be paths of the gateway itself; empty: none.
    """
    extra: str = ""
    """Extra of the distribution with the libraries that it needs; empty: none."""
    secrets: tuple[str, ...] = ()
    """Names of the options that are never shown."""
    configurations: Mapping[str, str] = {}
    """
    Configurations for well-known programs, by their names: texts with `{url}` and `{token}`.

    `{url}` is the address of the gateway, or of the adapter's own listener, without a slash at the end.
    """

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """The paths at the root."""
        return re.compile(self.root) if self.root else None


ADAPTERS: dict[str, AdapterEntry] = {
    "mcp": AdapterEntry(
        title="AI agents (MCP)",
        summary="An agent reads and answers the chats that you list.",
        place="webwx.gateway.adapters.mcp.adapter:McpAdapter",
        root=r"/mcp(/[^/]+)?",
        extra="mcp",
        configurations=address_configs("{url}/mcp", "{token}"),
    ),
}
"""The adapters by their names."""


def adapter_of(path: str, entries: Mapping[str, AdapterEntry]) -> AdapterPath | None:
    """Return the adapter that has a path; None if the path belongs to no adapter."""
    if path.startswith(PREFIX):
        name, _, rest = path.removeprefix(PREFIX).partition("/")
        return AdapterPath(name, f"/{rest}") if name in entries else None
    for name, entry in entries.items():
        if entry.pattern is not None and entry.pattern.fullmatch(path):
            return AdapterPath(name, path)
    return None


def load_adapter(name: str, entries: Mapping[str, AdapterEntry] = ADAPTERS) -> type[Adapter]:
    """
    Import an adapter, and return its class.

    Raises:
        InvalidRequest: There is no such adapter, or the libraries that it needs are not installed.
    """
    entry = entries.get(name)
    if entry is None:
        raise InvalidRequest(
            f"There is no adapter {name!r}; the adapters are {', '.join(entries) or 'not installed'}.", field="adapter"
        )
    module, _, class_name = entry.place.partition(":")
    try:
        found: type[Adapter] = getattr(importlib.import_module(module), class_name)
    except ModuleNotFoundError as error:
        if not entry.extra or (error.name or "").startswith("webwx"):
            raise
        raise InvalidRequest(
            f"The adapter {name!r} needs further libraries; install webwx with the extra {entry.extra!r}.",
            field="adapter",
        ) from None
    return found
