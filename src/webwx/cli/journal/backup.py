"""`webwx serve backup`: a copy of everything that the gateway and the command line store."""

from __future__ import annotations

from pathlib import Path

import click

from webwx.cli.language import _
from webwx.cli.progress import shown_files
from webwx.cli.session import Session, command


@command("backup", examples=("webwx serve backup backup-$(date +%F)", "webwx serve backup /mnt/usb/webwx --json"))
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
async def backup(session: Session, folder: Path) -> None:
    """
    Copy logins, journals and all data of the gateway into the new folder FOLDER.

    The gateway may keep running. The copy holds the logins, so keep it private. To
    restore it, end the gateway, move the folder of the saved logins away, and put the copy in its place.
    """
    from webwx.storage.home_backup import back_up

    session.require_file(_("back up the database with 'pg_dump', and copy the folder of the gateway's files"))
    with shown_files() as show:
        count = await back_up(session.settings.home, folder, show)
    session.output.result(
        _("Copied {count} files to {folder}.").format(count=count, folder=folder), folder=str(folder), files=count
    )
