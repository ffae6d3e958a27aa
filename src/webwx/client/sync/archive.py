"""
The media archive: it downloads media as they arrive, because after a recall the platform does not serve them any more.

The archive is a consumer of the journal, so a restart misses nothing and the sync is not delayed. Two downloads run at
a time, and entries beyond the limit in memory wait in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from webwx.client.retry import Backoff, retry
from webwx.errors import (
    AlreadyRunning,
    ConnectFailed,
    InvalidLogin,
    LocalStateError,
    LoggedOut,
    MediaUnavailable,
    NotLoggedIn,
    RateLimited,
    StorageError,
    TlsError,
    UnknownContact,
    WxError,
)
from webwx.flows.media import NotThereYet
from webwx.model.events import event_from_item
from webwx.model.messages import FileMessage, ImageMessage, Message, StickerMessage, VideoMessage, VoiceMessage
from webwx.storage.tables.media import ARCHIVE_CONSUMER
from webwx.transport.download_sink import Overflow

if TYPE_CHECKING:
    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.contact_book import ContactBook
    from webwx.client.sending.media import MediaTransfers
    from webwx.model.archive import Keep, MediaKind
    from webwx.model.messages import Event
    from webwx.storage.consumer import Consumer
    from webwx.storage.entries import Entry

AT_ONCE = 2
"""Number of concurrent downloads."""

TRIES = 5
"""Number of attempts at a media file before it is given up; the delays between them grow."""

LONGEST = 60.0
"""Maximum seconds between two attempts."""

_WAITING = 100
"""Maximum number of media in memory that wait for a download or for another attempt."""

_TAKEN_AT_ONCE = 50
"""Number of entries that are read at a time."""

_KIND_OF: dict[type[Event], MediaKind] = {
    ImageMessage: "image",
    VideoMessage: "video",
    VoiceMessage: "voice",
    FileMessage: "file",
    StickerMessage: "sticker",
}

_log = logging.getLogger("webwx.client")


class MediaArchive:
    """
    Downloads and archives media, from `begin` to `stop`.

    Args:
        session: The account's session.
        storage: The account's storage; it has a journal, and the account is logged in.
        book: The contacts of the present login.
        media: Downloads media.
        keep: Which media to archive.
    """

    def __init__(
        self, session: ClientSession, storage: AccountStorage, book: ContactBook, media: MediaTransfers, keep: Keep
    ) -> None:
        self._session = session
        self._storage = storage
        self._book = book
        self._media = media
        self._keep = keep
        self._kept = storage.part().media
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._room = asyncio.Semaphore(_WAITING)
        self._under_way: set[int] = set()
        """Numbers of the messages whose media are being fetched, except those that wait for the network or the disk."""
        self._checks_begun = self._failed_checks = 0
        """Number of reads of the journal, and number of the last read that found no entry."""
        self._has_progress = asyncio.Condition()
        self._unclear: set[str] = set()
        """Names that no contact or several contacts have, and that were logged."""
        self._consumer: Consumer | None = None
        self._work: asyncio.Task[None] | None = None
        self._is_over = False

    def __repr__(self) -> str:
        return "MediaArchive()"

    @property
    def is_at_work(self) -> bool:
        """Whether the archive was begun and has not ended."""
        return self._work is not None and not self._is_over

    async def begin(self) -> None:
        """Begin where the last archive stopped, or with new entries; a failure is logged and delays nothing."""
        try:
            self._consumer = consumer = await self._storage.part().consumer(ARCHIVE_CONSUMER)
        except (AlreadyRunning, StorageError) as error:
            _log.warning("The media archive cannot start: %s", error)
            return
        self._work = asyncio.get_running_loop().create_task(self._go_through(consumer))
        self._work.add_done_callback(_log_failure)

    async def caught_up(self) -> None:
        """Return once all received media are archived or given up, except those that wait for network or disk."""
        look = self._checks_begun + 1
        self._storage.notify()
        async with self._has_progress:
            await self._has_progress.wait_for(
                lambda: (
                    not self.is_at_work
                    or (not self._under_way and (self._failed_checks >= look or self._room.locked()))
                )
            )

    async def stop(self) -> None:
        """Stop now; media that are not archived yet are fetched after the next start."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
        await self._note_end()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(StorageError):  # entries without an acknowledgement are delivered again
                await consumer.close()

    async def _go_through(self, consumer: Consumer) -> None:
        try:
            await self._drop_old()
            async with asyncio.TaskGroup() as downloads:
                while True:
                    news = self._storage.news  # read first: the next round finds what is stored meanwhile
                    self._checks_begun += 1
                    entries = await retry(lambda: consumer.take(_TAKEN_AT_ONCE), StorageError)
                    for entry in entries:
                        message = self._wanted(entry)
                        if message is None:
                            consumer.ack(entry.number)
                        else:
                            await self._room.acquire()
                            self._under_way.add(entry.number)
                            downloads.create_task(self._archive_media(consumer, entry, message))
                    if entries:
                        await asyncio.sleep(0)
                    else:
                        self._failed_checks = self._checks_begun
                        await self._note_progress()
                        await news.wait()
        except* (LoggedOut, NotLoggedIn):
            pass  # nothing can be fetched any more, and the readers of events get the error
        finally:
            await self._note_end()

    async def _note_end(self) -> None:
        self._is_over = True
        await self._note_progress()

    async def _note_progress(self) -> None:
        async with self._has_progress:
            self._has_progress.notify_all()

    def _wanted(self, entry: Entry) -> Message | None:
        """Return the message of an entry if its media are to be archived."""
        if entry.item.kind != "message" or not entry.chat:
            return None
        event = event_from_item(entry.item, entry.own_id, entry.read)
        kind = _KIND_OF.get(type(event))
        if kind not in self._keep.kinds or not isinstance(event, Message) or not self._is_wanted_chat(event.chat):
            return None
        return event

    def _is_wanted_chat(self, chat: str) -> bool:
        names = self._keep.names
        return not names or any(self._is_called(chat, name) for name in names)

    def _is_called(self, chat: str, name: str) -> bool:
        try:
            return self._book.contacts.resolve(name).id == chat
        except UnknownContact:
            if name not in self._unclear:
                self._unclear.add(name)
                _log.warning(
                    "A chat named in keep= is unknown, or several chats have its name; its media are not archived."
                )
            return False

    async def _archive_media(self, consumer: Consumer, entry: Entry, message: Message) -> None:
        """Archive one media file with retries, and acknowledge its entry."""
        backoff = Backoff(self._session.timeouts.retry, longest=LONGEST)
        tries = 0
        try:
            while True:
                try:
                    async with self._slots:
                        await self._fetch(entry, message)
                except (LoggedOut, NotLoggedIn):
                    raise
                except WxError as error:
                    if _passes(error):
                        self._under_way.discard(entry.number)
                        await self._note_progress()
                    else:
                        tries += 1
                        if await self._is_given_up(entry, error, tries):
                            consumer.ack(entry.number)
                            return
                else:
                    consumer.ack(entry.number)
                    return
                await backoff.pause()
        finally:
            self._room.release()
            self._under_way.discard(entry.number)
            await self._note_progress()

    async def _fetch(self, entry: Entry, message: Message) -> None:
        """
        Download a media file into the archive, or note that it is too large.

        Raises:
            WxError: The media file could not be fetched or stored.
        """
        keep = self._keep
        found = await self._kept.find(entry.message_id)
        if found is not None and found.number == entry.number:  # two messages may have one id
            return  # a process archived it and ended before the acknowledgement; a new download might fail
        if getattr(message, "size", 0) > keep.max_size:
            await self._kept.pass_over(entry, "too_large", time=self._session.now())
            return
        try:
            with self._kept.begin() as (file, part):
                await self._media.fetch(self._media.download_flow(message), file, keep.max_size, tries=1)
                await self._kept.add(entry, part, time=self._session.now(), max_total=keep.max_total)
        except Overflow:
            await self._kept.pass_over(entry, "too_large", time=self._session.now())
            return
        await self._drop_old()

    async def _is_given_up(self, entry: Entry, error: WxError, tries: int) -> bool:
        """Return whether a media file is given up after an error, and note it as unavailable if so."""
        is_final = isinstance(error, MediaUnavailable) and not isinstance(error, NotThereYet)
        if not is_final and tries < TRIES:
            return False
        try:
            await self._kept.pass_over(entry, "unavailable", time=self._session.now())
        except StorageError:
            return False
        return True

    async def _drop_old(self) -> None:
        if self._keep.days:
            with contextlib.suppress(StorageError):  # repeated after the next download
                await self._kept.drop(before=self._session.now() - self._keep.days * 86_400)


def _passes(error: WxError) -> bool:
    """Return whether an error of the network or the disk passes by itself, so that it does not count as an attempt."""
    is_here = isinstance(error, LocalStateError) and not isinstance(error, InvalidLogin)
    return is_here or isinstance(error, (ConnectFailed, TlsError, RateLimited))


def _log_failure(work: asyncio.Task[None]) -> None:
    """Log the kind of an unexpected error; the readers of events continue."""
    error = None if work.cancelled() else work.exception()
    if error is not None:
        _log.error("The media archive has stopped: %s.", ", ".join(sorted(_kinds(error))))


def _kinds(error: BaseException) -> set[str]:
    """Return the kinds of all errors in a group, or of a single error."""
    if isinstance(error, BaseExceptionGroup):
        return set().union(*map(_kinds, error.exceptions))
    return {type(error).__name__}
