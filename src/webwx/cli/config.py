"""`webwx config`: the settings and their sources."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import click

from webwx.cli.help_pages import CliGroup
from webwx.cli.language import _
from webwx.cli.options import example_text, with_common_options
from webwx.cli.session import Session, command
from webwx.cli.words import word
from webwx.settings import KEYS, config_path


@with_common_options
@click.group("config", cls=CliGroup, epilog=example_text("webwx config path", "webwx config show"))
def config() -> None:
    """
    Show the settings and where each one comes from.

    The configuration file is TOML. It may set home, storage, account, server, host, proxy, passphrase_from,
    retention_days, rate_limit, keep, allowed_hosts and the table [desktop]. Options override environment variables,
    and variables override the file.
    """


@command("path", group=config, examples=('${EDITOR:-vi} "$(webwx config path)"',))
async def path(session: Session) -> None:
    """Print the path of the configuration file, which may not exist."""
    file = config_path()
    session.output.result(str(file), path=str(file), exists=file.exists())


@command("show", group=config, examples=("webwx config show --account work",))
async def show(session: Session) -> None:
    """
    Print every setting in effect and its source.

    Leaves out user and password in an address.
    """
    settings = session.settings
    for name in KEYS:
        value = getattr(settings, name)
        if name in {"proxy", "storage"}:
            value = without_password(value)
        text = None if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        source = settings.sources.get(name, "default")
        session.output.result(f"{name} = {text or _('(none)')}  [{word(source)}]", name=name, value=text, source=source)


def without_password(url: str | None) -> str | None:
    """Return an address without user name and password, which a database has in the query too."""
    if url is None:
        return None
    parts = urlsplit(url)
    query = urlencode([each for each in parse_qsl(parts.query) if each[0] not in {"user", "password"}])
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query).geturl()
