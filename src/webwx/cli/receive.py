"""`webwx receive`: files, pictures and other media that arrive, into a folder."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webwx.cli.messages import describe
from webwx.cli.names import complete_chats
from webwx.cli.progress import shown_progress
from webwx.cli.session import Session, command, ended_by_reader
from webwx.errors import MediaUnavailable
from webwx.model.messages import (
    Event,
    FileMessage,
    ImageMessage,
    Message,
    StickerMessage,
    VideoMessage,
    VoiceMessage,
)
from webwx.protocol.codec import clean_text

if TYPE_CHECKING:
    from webwx.client.aio import AsyncClient

_MEDIA = (FileMessage, ImageMessage, VideoMessage, VoiceMessage, StickerMessage)


@command(
    "receive",
    endless=True,
    examples=(
        "webwx receive --to ~/Downloads",
        "webwx receive --to inbox --from filehelper --follow",
        "webwx receive --json | jq -r .path",
    ),
)
@click.option(
    "--to",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    default=".",
    help="Folder to save into.  [default: this one]",
)
@click.option(
    "--from", "chat", metavar="CHAT", shell_complete=complete_chats, help="Save what comes in this chat only."
)
@click.option("--follow", is_flag=True, help="Go on, and save what arrives from now on.")
async def receive(session: Session, to: Path, chat: str | None, follow: bool) -> None:
    """
    Save files, pictures and other media that arrive.

    Takes what is waiting, prints the path of each file, and ends. Names that senders gave are made harmless, and
    nothing is ever written over. Whatever else arrives is told on stderr: 'webwx listen' will not print it again.
    """
    unavailable: MediaUnavailable | None = None
    async with session.logged_in() as client:
        wanted = client.contacts.resolve(clean_text(chat)).id if chat else None
        with ended_by_reader():
            async with aclosing(client.events(include_all=False, follow=follow)) as events:
                async for event in events:
                    if not isinstance(event, _MEDIA) or wanted not in {None, event.chat}:
                        session.output.tell(describe(event, client.contacts))
                        continue
                    try:
                        await _save(session, client, event, to)
                    except MediaUnavailable as error:
                        unavailable = error
                        session.output.tell(f"{describe(event, client.contacts)}: {error}")
    if unavailable is not None:
        raise unavailable


async def _save(session: Session, client: AsyncClient, message: Message, to: Path) -> None:
    label = message.name if isinstance(message, FileMessage) else "Downloading"
    with shown_progress(label) as progress:
        path = await client.download_to(message, to, progress=progress)
    session.output.result(
        str(path), path=str(path), message_id=message.message_id, chat=message.chat, event=_kind(message)
    )


def _kind(event: Event) -> str:
    """Give the word that `webwx listen --json` has as `event`."""
    return str(type(event).__struct_config__.tag)
