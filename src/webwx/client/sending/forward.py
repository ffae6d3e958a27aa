"""Forward a received message: by the keys in its content, or by download and upload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.client.sending import files
from webwx.client.sending.sender import Make, SendWay, WantedSend
from webwx.errors import MediaUnavailable, NotForwardable
from webwx.flows import messages as message_flows
from webwx.model.contacts import ContactId
from webwx.model.messages import (
    Event,
    FileMessage,
    ImageMessage,
    LocationMessage,
    Message,
    MessageRecalled,
    Receipt,
    StickerMessage,
    TextMessage,
    VideoMessage,
    VoiceMessage,
)

if TYPE_CHECKING:
    from webwx.client.login.session import ClientSession
    from webwx.client.people.identities import AccountIdentities, To
    from webwx.client.sending.media import MediaTransfers
    from webwx.client.sending.sender import Sender


class Forwarder:
    """
    Forwards received messages.

    Args:
        session: The account's session.
        identities: Finds the contact that a caller means.
        sender: Sends the forwarded messages.
        media: Downloads and uploads media.
    """

    def __init__(
        self, session: ClientSession, identities: AccountIdentities, sender: Sender, media: MediaTransfers
    ) -> None:
        self._session = session
        self._identities = identities
        self._sender = sender
        self._media = media

    async def forward(self, message: Event, to: To, *, key: str = "") -> Receipt:
        if isinstance(message, MessageRecalled) and message.original is not None:
            message = message.original
        kind, text = _outgoing(message)
        wanted = WantedSend(to, kind, text, key, "" if kind == "text" else getattr(message, "message_id", ""))
        if key and (sent := await self._sender.sent_as(wanted)):  # first, because its receiver may not exist any more
            return sent
        chat = await self._identities.target(to)
        others: tuple[SendWay, ...]
        by_upload = SendWay(ready=lambda: self._fetched_and_uploaded(message, chat, kind), name="by_upload")
        match message:
            case ImageMessage() | VideoMessage() if not message.can_forward:
                return await self._sender.send(wanted, chat, (by_upload, by_upload))
            case VoiceMessage() if await self._media.archived_path(message) is not None:
                return await self._sender.send(wanted, chat, (by_upload, by_upload))
            case ImageMessage() | VideoMessage() | StickerMessage() | FileMessage():
                others = (by_upload, by_upload)
            case _:
                others = ()
        return await self._sender.send(wanted, chat, (self._by_content(message, chat), *others))

    def _by_content(self, message: Event, chat: ContactId) -> SendWay:
        make = self._forward_flow(message, chat)
        return SendWay(make, name="by_content")

    def _forward_flow(self, message: Event, chat: ContactId) -> Make:
        match message:
            case TextMessage():
                return lambda client_id: message_flows.forward_text(
                    self._session.login, chat, message.whole_text, client_id
                )
            case LocationMessage(original=xml) if xml:
                return lambda client_id: message_flows.forward_location(self._session.login, chat, xml, client_id)
            case ImageMessage():
                content = message.forward_content
                return lambda client_id: message_flows.forward_image(self._session.login, chat, content, client_id)
            case VideoMessage():
                content = message.forward_content
                return lambda client_id: message_flows.forward_video(self._session.login, chat, content, client_id)
            case StickerMessage(md5=md5) if md5:
                return lambda client_id: message_flows.send_known_sticker(self._session.login, chat, md5, client_id)
            case FileMessage(media_id=media_id) if media_id:
                return lambda client_id: message_flows.forward_file(self._session.login, chat, message, client_id)
            case _:
                raise NotForwardable(
                    f"This {type(message).__name__} cannot be forwarded; only texts, locations, pictures, videos, "
                    "files, archived voice messages, and stickers outside of the sticker store can be forwarded."
                )

    async def _fetched_and_uploaded(self, message: Event, chat: ContactId, kind: str) -> Make:
        """Take the media of a message from the archive or download them, and upload them again."""
        assert isinstance(message, Message)  # noqa: S101 - only a message has media
        import tempfile

        with tempfile.TemporaryDirectory(prefix="webwx-") as folder:
            try:
                path = await self._media.download_to(message, folder)
            except MediaUnavailable:
                if isinstance(message, (ImageMessage, VideoMessage)) and not message.can_forward:
                    raise NotForwardable(
                        "The message has no keys for a forward, its media are not archived, and the platform does not "
                        "serve them any more; a client with keep= archives such media when they arrive."
                    ) from None
                raise
            name = message.name if isinstance(message, FileMessage) else ""
            file = await asyncio.to_thread(_PREPARED.get(kind, files.prepare_image), path, name)
            return await self._media.uploaded(chat, kind, file)


_PREPARED = {"video": files.prepare_video, "file": files.prepare_file}
"""Check of a downloaded file of each kind before it is sent; a sticker is an animated picture."""


def _outgoing(message: Event) -> tuple[str, str]:
    """Return the kind and the text of a forward for the outbox."""
    match message:
        case TextMessage(whole_text=text):
            return "text", text
        case LocationMessage(label=label):
            return "location", label
        case FileMessage(name=name):
            return "file", name
        case VoiceMessage():
            return "file", ""
        case VideoMessage():
            return "video", ""
        case StickerMessage():
            return "sticker", ""
        case _:
            return "image", ""
