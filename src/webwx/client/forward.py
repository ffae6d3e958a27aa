"""Send a received message on: by what its content holds, or by download and upload."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import msgspec

from webwx.client.media import MediaVerbs
from webwx.errors import ApiError, MediaUnavailable, NotForwardable
from webwx.flows import messages as message_flows
from webwx.model.contacts import Contact, ContactId
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
)
from webwx.protocol.codes import Ret

if TYPE_CHECKING:
    from webwx.flows.call import Flow


class ForwardVerbs(MediaVerbs):
    """What sends messages on."""

    async def forward(self, message: Event, to: Contact | str) -> Receipt:
        """
        Send a received message on, recalled or not: by the keys in its content, else by download and upload.

        Texts, locations, pictures, videos, stickers and files can be sent on. The receipt's `way` says how it went.
        Without keys, or when they are not valid any more, it is downloaded and sent anew, which a recalled one mostly
        cannot be.

        Args:
            message: A message; or a recall notice whose original is still known.
            to: As for `send_text`.

        Raises:
            NotForwardable: Another kind of message, a sticker of the store, or a picture or video that came without
                keys and is not served any more; nothing was sent.
            UnknownContact: Nobody of that name, or several; nothing was sent.
            MediaUnavailable: Its keys are not valid any more, and the platform has it no longer; nothing was sent.
            SendUnknown: The answer was lost: it may have been sent, and is never repeated for you.

        Wire: webwxsendmsg, webwxsendmsgimg, webwxsendvideomsg, webwxsendemoticon, webwxsendappmsg

        """
        chat = self._target(to)
        if isinstance(message, MessageRecalled) and message.original is not None:
            message = message.original
        if isinstance(message, (ImageMessage, VideoMessage)) and not message.can_forward:
            try:
                return await self._forward_by_upload(message, chat)
            except MediaUnavailable:
                raise NotForwardable(
                    "It came without the keys that a forward needs, and the platform serves it no longer; "
                    "download such a one while it is there and send it as a new one."
                ) from None
        client_id = self._cell.next_client_id()
        flow = self._forward_flow(message, chat, client_id)
        try:
            receipt = self._receipt(await self._run(flow), client_id, chat)
        except ApiError as refused:
            is_medium = isinstance(message, (ImageMessage, VideoMessage, StickerMessage, FileMessage))
            if refused.ret != Ret.SYSTEM_ERROR or not is_medium:
                raise
            return await self._forward_by_upload(message, chat)
        return msgspec.structs.replace(receipt, way="by_content")

    def _forward_flow(self, message: Event, chat: ContactId, client_id: str) -> Flow[str]:
        login = self._login
        match message:
            case TextMessage():
                return message_flows.forward_text(login, chat, message.text, client_id)
            case LocationMessage(original=xml) if xml:
                return message_flows.forward_location(login, chat, xml, client_id)
            case ImageMessage():
                return message_flows.forward_image(login, chat, message.forward_content, client_id)
            case VideoMessage():
                return message_flows.forward_video(login, chat, message.forward_content, client_id)
            case StickerMessage(md5=md5) if md5:
                return message_flows.send_known_sticker(login, chat, md5, client_id)
            case FileMessage(media_id=media_id) if media_id:
                return message_flows.forward_file(login, chat, message, client_id)
            case _:
                raise NotForwardable(
                    f"A {type(message).__name__} like this cannot be forwarded; texts, locations, pictures, videos, "
                    "files and stickers that are not from the store can, and a recalled one as long as its original "
                    "is known."
                )

    async def _forward_by_upload(self, message: Event, chat: ContactId) -> Receipt:
        assert isinstance(message, Message)  # noqa: S101 - what has media
        with tempfile.TemporaryDirectory(prefix="webwx-") as folder:
            path = await self.download_to(message, folder)
            match message:
                case VideoMessage():
                    receipt = await self.send_video(chat, path)
                case FileMessage(name=name):
                    receipt = await self.send_file(chat, path, name=name)
                case _:
                    receipt = await self.send_image(chat, path)
        return msgspec.structs.replace(receipt, way="by_upload")
