"""Ready configuration for the programs with which people use agents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SERVER_NAME = "wechat"
"""Name of the server in all programs."""


class StartCommand(NamedTuple):
    """How a program starts the server as its child."""

    command: str
    args: Sequence[str]
    env: Mapping[str, str]


class ServerAddress(NamedTuple):
    """How a program reaches the server at a gateway."""

    url: str
    token: str


Connection = StartCommand | ServerAddress


class ConfiguredProgram(NamedTuple):
    """A program that uses MCP servers."""

    title: str
    place: str
    """Where the configuration belongs, as a sentence."""
    write: Callable[[Connection], str | None]
    """Returns the configuration; None: the program cannot connect this way."""


def _child(start: StartCommand) -> dict[str, Any]:
    fields: dict[str, Any] = {"command": start.command, "args": [*start.args]}
    return {**fields, "env": dict(start.env)} if start.env else fields


def _bearer(address: ServerAddress) -> dict[str, str]:
    return {"Authorization": f"Bearer {address.token}"}


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, indent=2, ensure_ascii=False)


def _claude_desktop(connection: Connection) -> str | None:
    match connection:
        case StartCommand():
            return _json({"mcpServers": {SERVER_NAME: _child(connection)}})
        case ServerAddress():
            return None  # it takes addresses only with OAuth


def _mcp_servers(url_key: str, **fields: str) -> Callable[[Connection], str]:
    """Return the writer of the most usual form, whose key for an address differs."""

    def write(connection: Connection) -> str:
        match connection:
            case StartCommand():
                server = _child(connection)
            case ServerAddress():
                server = {**fields, url_key: connection.url, "headers": _bearer(connection)}
        return _json({"mcpServers": {SERVER_NAME: server}})

    return write


def _vs_code(connection: Connection) -> str:
    match connection:
        case StartCommand():
            server: dict[str, Any] = {"type": "stdio", **_child(connection)}
        case ServerAddress():
            server = {"type": "http", "url": connection.url, "headers": _bearer(connection)}
    return _json({"servers": {SERVER_NAME: server}})


def _codex(connection: Connection) -> str:
    # A string of JSON is one of TOML as well.
    lines = [f"[mcp_servers.{SERVER_NAME}]"]
    match connection:
        case StartCommand():
            lines += [f"command = {_text(connection.command)}"]
            lines += [f"args = [{', '.join(map(_text, connection.args))}]"]
            if connection.env:
                lines += [
                    f"env = {{ {', '.join(f'{name} = {_text(value)}' for name, value in connection.env.items())} }}"
                ]
            lines += ["startup_timeout_sec = 60", "tool_timeout_sec = 90"]
        case ServerAddress():
            lines += [
                f"url = {_text(connection.url)}",
                f"http_headers = {{ Authorization = {_text(_bearer(connection)['Authorization'])} }}",
            ]
            lines += ["tool_timeout_sec = 90"]
    return "\n".join(lines)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


PROGRAMS = {
    "claude-code": ConfiguredProgram(
        "Claude Code",
        "Put this into .mcp.json in the folder of your project, start the program there, and approve the server.",
        _mcp_servers("url", type="http"),
    ),
    "claude-desktop": ConfiguredProgram(
        "Claude Desktop",
        "Add this to claude_desktop_config.json: Settings, Developer, Edit Config. Then restart the program.",
        _claude_desktop,
    ),
    "codex": ConfiguredProgram("Codex", "Add this to ~/.codex/config.toml.", _codex),
    "cursor": ConfiguredProgram("Cursor", "Add this to ~/.cursor/mcp.json.", _mcp_servers("url")),
    "gemini-cli": ConfiguredProgram(
        "Gemini CLI",
        "Add this to ~/.gemini/settings.json. The program starts servers only in folders that you have trusted.",
        _mcp_servers("httpUrl"),
    ),
    "vscode": ConfiguredProgram(
        "VS Code", "Put this into .vscode/mcp.json in the folder of your project.", _vs_code
    ),
    "windsurf": ConfiguredProgram(
        "Windsurf", "Add this to ~/.codeium/windsurf/mcp_config.json.", _mcp_servers("serverUrl")
    ),
}  # fmt: skip
"""The programs by the names that the command takes."""


def address_configs(url: str, token: str) -> dict[str, str]:
    """Return the configurations of all programs that can use an address with a token, by their titles."""
    written = {each.title: each.write(ServerAddress(url, token)) for each in PROGRAMS.values()}
    return {title: text for title, text in written.items() if text is not None}
