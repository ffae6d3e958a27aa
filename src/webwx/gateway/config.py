"""
The configuration of the gateway: listener, TLS and limits, from a TOML file in the folder of the saved logins.

Everything else (keys, receivers, webhooks) is stored as records, because it changes while the gateway runs.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from webwx.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Collection

DEFAULT_PORT = 8791

_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")

_OWN_PATHS = (
    "adapters", "api", "console", "docs", "healthz", "hooks", "m", "mcp", "metrics", "openapi.json", "q", "readyz",
)  # fmt: skip
"""Beginnings of paths of the gateway itself."""

FILE_NAME = "gateway.toml"
"""Name of the file in the folder of the saved logins."""

EXAMPLE = """\
# The gateway reads this file at its start, and [limits] again when it gets SIGHUP; the other tables need a restart.

[listen]
# host = "127.0.0.1"        # another address needs [tls] or behind_proxy
# port = 8791
# behind_proxy = ""         # address of a reverse proxy, the only one whose forwarded headers are trusted
# hosts = []                # names under which clients reach the gateway, such as "wx.example.org"
# path = ""                 # path below which a proxy serves the gateway, such as "/wx"; it may remove or keep it
# origins = []              # pages of other sites that may call it, such as "https://dash.example.org"

[tls]
# certificate = ""          # PEM file with the chain
# key = ""                  # PEM file with the private key

[limits]
# body = 1048576            # bytes of a request's body; uploads have a limit of their own
# upload = 1073741824       # bytes of an upload
# uploads_per_key = 4294967296  # bytes of all uploads of a key, which are kept for a day
# uploads = 17179869184     # bytes of all uploads
# uploads_free = 268435456  # bytes that uploads and the files of notifications leave free on the disk
# fetched_file = 0          # bytes of a file that a send names by its URL; 0: the gateway fetches no URL
# media = 2147483648        # bytes of downloaded media that are kept; the oldest are removed first
# media_days = 30           # days that they are kept at most
# header = 16384            # bytes of a request's header
# patience = 15             # seconds for a TLS handshake, for a header, between two pieces of a body, and for the
                            # first message of a WebSocket; four times as many to take an answer
# connections = 1000        # open connections; one address has half of them until they have shown a valid key
# requests_per_minute = 1200    # per key; 0: no limit

[fallback]                  # reports the end of a login, which WeChat itself cannot
# command = []              # program and arguments, such as ["mail", "-s", "webwx", "me@example.org"]; text on stdin
# webhook = ""              # URL that gets a POST with {"title": ..., "text": ...}
# webhook_allow_private = false     # allow a host of this machine or of a private network
# smtp_host = ""            # mail server
# smtp_port = 587           # 465: TLS from the start; otherwise STARTTLS, except on this machine
# smtp_user = ""
# smtp_password_file = ""   # file with the password
# mail_from = ""
# mail_to = ""

[incoming_files]            # rules of the console save files that arrive in chats below this folder
# root = ""                 # an existing folder, such as "/srv/wechat"; empty: no file is saved
# keep_free = 1073741824    # bytes that stay free on its disk

# [adapters.mcp]            # an address of its own for the programs of an adapter; else they use that of [listen]
# port = 8792               # 0: any free port
# host = "127.0.0.1"        # [tls], behind_proxy, hosts, origins and [limits] are those of the gateway

# [[bots]]                  # a bot that runs inside the gateway; repeat the table for several
# file = "bot.py"           # path of a Python file, relative to this one
# name = ""                 # variable of one Bot in it; empty: all of them
# accounts = []             # names of accounts; empty: all, or the one that the bot names itself
"""
"""Content of a new file: every setting with its default."""


class ListenTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[listen]`."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = DEFAULT_PORT
    """Port to listen on; 0: any free port."""
    behind_proxy: str = ""
    """Address of a reverse proxy that ends TLS; forwarded headers are trusted from it only."""
    hosts: tuple[str, ...] = ()
    """Names under which clients reach the gateway, beside the addresses of this machine."""
    path: str = ""
    """
    Path below which a proxy serves the gateway, such as `/wx`; empty: the root of its name.

    The proxy may remove it from requests or keep it.
    """
    origins: tuple[str, ...] = ()
    """Origins of pages that may call the gateway, beside its own."""


class TlsTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[tls]`."""

    certificate: str = ""
    """Path of the certificate chain (PEM)."""
    key: str = ""
    """Path of the private key (PEM)."""


class LimitsTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[limits]`."""

    body: Annotated[int, Meta(gt=0)] = 1024 * 1024
    """Maximum number of bytes of a request's body."""
    upload: Annotated[int, Meta(ge=0)] = 1024 * 1024 * 1024
    """Maximum number of bytes of an upload."""
    uploads_per_key: Annotated[int, Meta(ge=0)] = 4 * 1024 * 1024 * 1024
    """Maximum number of bytes of all uploads of one key, which are kept for a day."""
    uploads: Annotated[int, Meta(ge=0)] = 16 * 1024 * 1024 * 1024
    """Maximum number of bytes of all uploads on this machine."""
    uploads_free: Annotated[int, Meta(ge=0)] = 256 * 1024 * 1024
    """Bytes that uploads and the files of notifications leave free on the disk."""
    fetched_file: Annotated[int, Meta(ge=0)] = 0
    """Bytes of a file that a send names by its URL; 0: the gateway fetches no URL."""
    media: Annotated[int, Meta(ge=0)] = 2 * 1024 * 1024 * 1024
    """Bytes of downloaded media that are kept; the oldest are removed first."""
    media_days: Annotated[float, Meta(ge=0)] = 30.0
    """Days that downloaded media are kept at most."""
    header: Annotated[int, Meta(gt=0)] = 16 * 1024
    """Bytes of a request's header."""
    patience: Annotated[float, Meta(gt=0)] = 15.0
    """
    Seconds that a client has for a TLS handshake, for a request's header, between two pieces of its body, until its
    next request, and for the first message of a WebSocket; it has four times as many to read an answer.
    """
    connections: Annotated[int, Meta(gt=0)] = 1000
    """Number of open connections; one address has half of them until they have shown a valid key."""
    requests_per_minute: Annotated[int, Meta(ge=0)] = 1200
    """Requests of one key in a minute, unless the key has its own number; 0: no limit."""


class FallbackTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[fallback]`: how the owner is reached when a login ends."""

    command: tuple[str, ...] = ()
    """Program and arguments; it gets the text on stdin."""
    webhook: str = ""
    """URL that gets a POST with a JSON object of `title` and `text`."""
    webhook_allow_private: bool = False
    """Allow a host of this machine or of a private network."""
    smtp_host: str = ""
    """Mail server; empty: no mail is sent."""
    smtp_port: int = 587
    """465: TLS from the start; otherwise STARTTLS, except for a server on this machine."""
    smtp_user: str = ""
    smtp_password_file: str = ""
    """Path of the file with the password."""
    mail_from: str = ""
    """Sender; empty: `mail_to`."""
    mail_to: str = ""


class BotTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `[[bots]]`: bots that run inside the gateway."""

    file: str
    """Path of the Python file, relative to the configuration file."""
    name: str = ""
    """Variable of one bot in the file; empty: all bots of the file."""
    accounts: tuple[str, ...] = ()
    """Names of the accounts on which they run; empty: all accounts, or the one that a bot names itself."""


class IncomingFilesTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[incoming_files]`: where rules may save files that arrive in chats."""

    root: str = ""
    """An existing folder that contains the folders of all rules; empty: no file is saved."""
    keep_free: int = 1024 * 1024 * 1024
    """Bytes that stay free on its disk."""


class AdapterTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `[adapters.NAME]`: the listener that an adapter has beside its paths at the gateway's own address."""

    port: int
    """Port to listen on; 0: any free port."""
    host: str = "127.0.0.1"
    """Address to listen on."""


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of the gateway."""

    listen: ListenTable = ListenTable()
    tls: TlsTable = TlsTable()
    limits: LimitsTable = LimitsTable()
    fallback: FallbackTable = FallbackTable()
    bots: tuple[BotTable, ...] = ()
    incoming_files: IncomingFilesTable = IncomingFilesTable()
    adapters: dict[str, AdapterTable] = {}
    """The listeners of adapters by the names of the adapters."""

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine can connect."""
        return is_loopback(self.listen.host)

    @property
    def has_tls(self) -> bool:
        """Whether the gateway itself speaks TLS."""
        return bool(self.tls.certificate)

    def browser_url(self, local: str) -> str:
        """
        Return the address for a browser: the proxy's, if its name is known, with the path below which it is served.

        Args:
            local: The address for programs of this machine.
        """
        listen = self.listen
        origin = f"https://{listen.hosts[0]}" if listen.behind_proxy and listen.hosts else local
        return f"{origin}{listen.path}"

    def check(self, adapters: Collection[str] | None = None) -> None:
        """
        Refuse a listener that would carry keys over a network in clear text, or that cannot be opened beside another.

        Args:
            adapters: Names of the adapters that there are; None: their names are not checked.

        Raises:
            InvalidSettings: The address is not a loopback address, and there is neither TLS nor a proxy; TLS lacks one
                of its files; the proxy is not an address; the path is not valid; there is no such adapter; or two
                listeners have the same port.
        """
        if self.listen.behind_proxy and not _is_address(self.listen.behind_proxy):
            raise InvalidSettings(
                f"{self.listen.behind_proxy!r} is not the address of a proxy; write one like 127.0.0.1 or 172.16.0.2."
            )
        path = self.listen.path
        if path and (not _PATH.fullmatch(path) or path.split("/")[1] in _OWN_PATHS):
            raise InvalidSettings(
                f"{path!r} is not a path below which a proxy serves the gateway; write one like '/wx', without a '/' "
                f"at the end, and with another beginning than {', '.join(_OWN_PATHS)}."
            )
        if bool(self.tls.certificate) != bool(self.tls.key):
            raise InvalidSettings("TLS needs both files, 'certificate' and 'key'.")
        self._check_address(self.listen.host, self.listen.port)
        ports = {self.listen.port: "[listen]"}
        for name, table in self.adapters.items():
            if adapters is not None and name not in adapters:
                raise InvalidSettings(
                    f"[adapters.{name}]: there is no adapter {name!r}; the adapters are {', '.join(adapters)}."
                )
            self._check_address(table.host, table.port)
            if table.port and table.port in ports:
                raise InvalidSettings(
                    f"[adapters.{name}] has the port {table.port} of {ports[table.port]}; choose another one, or 0 for "
                    "any free port."
                )
            ports[table.port] = f"[adapters.{name}]"
        if self.incoming_files.root and not Path(self.incoming_files.root).is_absolute():
            raise InvalidSettings("'root' of [incoming_files] has to be an absolute path, such as '/srv/wechat'.")

    def _check_address(self, host: str, port: int) -> None:
        if not (is_loopback(host) or self.has_tls or self.listen.behind_proxy):
            raise InvalidSettings(
                f"The gateway does not listen on {host!r} without TLS: keys and messages would cross the network in "
                "clear text. Set [tls], or --behind-proxy with the address of a proxy that ends TLS."
            )
        if not 0 <= port <= 65_535:
            raise InvalidSettings(f"{port} is not a port; use a number from 1 to 65535, or 0 for any.")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine's loopback interface."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_gateway_config(path: Path) -> GatewayConfig:
    """
    Read the configuration file; a missing one means the defaults.

    Raises:
        InvalidSettings: The file cannot be read, or has a setting that is unknown or invalid.
    """
    try:
        return msgspec.toml.decode(path.read_text(encoding="utf-8"), type=GatewayConfig)
    except FileNotFoundError:
        return GatewayConfig()
    except OSError as error:
        raise InvalidSettings(f"The configuration {path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise InvalidSettings(f"The configuration {path} cannot be used: {error}.") from None
