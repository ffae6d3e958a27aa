"""`webwx receive`: save received files, pictures and other media in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from webwx.cli.language import N_, _
from webwx.cli.logs import log_format_option
from webwx.cli.messages.consumers import RECEIVE
from webwx.cli.messages.shown_events import describe
from webwx.cli.names import complete_chats, whom
from webwx.cli.progress import shown_progress
from webwx.cli.session import Session, command, ended_by_reader
from webwx.client.reading.subscription import Subscription
from webwx.client.retry import retry
from webwx.errors import (
    ApiError,
    ConnectFailed,
    LoggedOut,
    MediaUnavailable,
    ProtocolError,
    RateLimited,
    TransportError,
    WxError,
)
from webwx.flows.media import BrokeOff, NotThereYet
from webwx.model.messages import (
    Event,
    FileMessage,
    ImageMessage,
    Message,
    StickerMessage,
    VideoMessage,
    VoiceMessage,
)

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.client.reading.delivered import Delivered

TRIES = 3
"""Runs in which the platform returns no media, or an invalid answer, before a download is given up."""

PATIENCE = 5
"""Consecutive broken downloads that `--follow` retries; it waits for a missing network without a limit."""

_AGAIN = N_("It is tried again the next time.")

_MEDIA = (FileMessage, ImageMessage, VideoMessage, VoiceMessage, StickerMessage)


@command(
    "receive",
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
    help="Folder to save to.  [default: current folder]",
)
@click.option("--from", "chat", metavar="CHAT", shell_complete=complete_chats, help="Save only media of this chat.")
@click.option("--follow", is_flag=True, help="Keep running and save new media as they arrive.")
@log_format_option
async def receive(session: Session, to: Path, chat: str | None, follow: bool) -> None:
    """
    Save received files, pictures and other media.

    Saves what has arrived since the last run, prints the path of each file, and exits. A download that failed because
    of the network is repeated in the next run. Media that the platform no longer has are reported and skipped; so are
    media of other chats if --from is given. Files sent from here are not saved. Unsafe characters in file names are
    replaced, and existing files are never overwritten.
    """
    session.is_endless = follow
    async with session.logged_in() as client:
        wanted = (await client.find_contact(whom(chat))).id if chat else None
        with ended_by_reader():
            async with client.subscribe(RECEIVE, follow=follow) as subscription:
                session.announce(
                    _("Waiting for files and other media; press Ctrl-C to stop.")
                    if follow
                    else _("Looking for received files and other media; pass --follow to wait for new ones.")
                )
                saver = MediaSaver(session, client, subscription, to, is_patient=follow)
                while delivered := await subscription.take(1):
                    for each in delivered:
                        await saver.save_media_of(each, wanted)
    if saver.failure is not None:
        raise saver.failure


class MediaSaver:
    """
    Saves received media.

    Args:
        session: Session for the output.
        client: Client that downloads.
        subscription: Subscription; events that are not acknowledged are delivered again in the next run.
        to: Target folder.
        is_patient: Whether to wait while there is no network.
    """

    def __init__(
        self, session: Session, client: AsyncClient, subscription: Subscription, to: Path, *, is_patient: bool
    ) -> None:
        self.failure: WxError | None = None
        """The last reason why media were not saved."""
        self._session = session
        self._client = client
        self._subscription = subscription
        self._to = to
        self._is_patient = is_patient

    async def save_media_of(self, delivered: Delivered, wanted: str | None) -> None:
        """
        Save the media of an event, if it has any.

        Raises:
            ConnectFailed: There is no network, so no other download can succeed either.
            LoggedOut, RateLimited: No other download can succeed either.
            LocalStateError: The file cannot be written.
        """
        (number, event) = delivered.entry.number, delivered.event
        if isinstance(event, _MEDIA) and not await self._client.was_sent_here(event):
            if wanted not in {None, event.chat}:
                self._report(event, _("it came in another chat and is passed over."))
            elif not await self._is_saved(number, event):
                return
        self._subscription.ack(number)

    async def _is_saved(self, number: int, message: Message) -> bool:
        """Save the media of a message; return False if the next run must try again."""
        try:
            await self._save(message)
        except (ConnectFailed, LoggedOut, RateLimited):
            raise
        except (BrokeOff, TransportError) as error:
            self._failed(message, error, _(_AGAIN))
            return False
        except (ProtocolError, ApiError) as error:
            is_final = isinstance(error, MediaUnavailable) and not isinstance(error, NotThereYet)
            if not is_final and await self._subscription.failed(number, type(error).__name__) < TRIES:
                self._failed(message, error, _(_AGAIN))
                return False
            self._failed(message, error, _("It is given up."))
        return True

    async def _save(self, message: Message) -> None:
        label = message.name if isinstance(message, FileMessage) else _("Downloading")
        with shown_progress(label) as progress:
            path = await retry(
                lambda: self._client.download_to(message, self._to, progress=progress),
                (BrokeOff, TransportError),
                is_worth_it=lambda error, failures: (
                    self._is_patient and (isinstance(error, ConnectFailed) or failures < PATIENCE)
                ),
            )
        self._session.output.result(
            str(path), path=str(path), message_id=message.message_id, chat=message.chat, type=message.type
        )

    def _failed(self, event: Event, error: WxError, then: str) -> None:
        self.failure = error
        self._report(event, f"{error} {then}")

    def _report(self, event: Event, why: str) -> None:
        text = f"{describe(event, self._client.contacts)}: {why}"
        self._session.output.report(text, logged=_("event {number}: {why}").format(number=event.number, why=why))
