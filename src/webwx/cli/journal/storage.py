"""`webwx storage`: the tables of a database."""

from __future__ import annotations

import click

from webwx.cli.help_pages import CliGroup
from webwx.cli.language import _
from webwx.cli.options import example_text, with_common_options
from webwx.cli.session import Session, command


@with_common_options
@click.group("storage", cls=CliGroup, epilog=example_text("webwx storage migrate"))
def storage() -> None:
    """
    Migrate the tables of a database.

    The database is the one of --storage or WEBWX_STORAGE. A journal in a file is migrated when it is opened.
    """


@command("migrate", group=storage, examples=("webwx storage migrate",))
async def migrate(session: Session) -> None:
    """
    Bring the tables of a database to the version of this webwx.

    Needed after an update of webwx, if a command says so. Processes of the version before continue meanwhile, and
    workers of the new version wait; only for tables of version 6 all processes have to be stopped. Takes as long as the
    new indexes of large tables need; if it is interrupted, run it again, and it continues.
    """
    from webwx.storage.open import upgrade_database

    url = session.require_database()
    done = await upgrade_database(url, session.output.remark)
    is_old = done.before == done.after
    message = _("The tables are of version {version} already.") if is_old else _("The tables are of version {version}.")
    text = message.format(version=done.after)
    session.output.result(text, version=done.after, before=done.before)
