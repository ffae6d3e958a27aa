"""The tool that returns the media of a message: within the result, or as a link to the resource that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.short_texts import short_text
from webwx.gateway.adapters.mcp.shown_messages import media_type_of
from webwx.gateway.adapters.mcp.tool_values import MediaResult
from webwx.model.messages import FileMessage, Message, MessageRecalled
from webwx.protocol.media import picture_type

if TYPE_CHECKING:
    from webwx.gateway.adapters.mcp.agent import Agent
    from webwx.gateway.adapters.mcp.tool_values import GetMediaInput
    from webwx.model.messages import Event
    from webwx.storage.tables.outbox import Outgoing

LARGEST_RESOURCE = 20 * 1024 * 1024
"""Maximum size of media that a resource has, as of a file in an argument."""


class MediaContents(NamedTuple):
    """Media, with their content or without it."""

    content: bytes | None
    """The content; None if only the resource at the address has it."""
    mime: str
    uri: str
    name: str
    size: int
    """Size in bytes."""


async def get_media(agent: Agent, args: GetMediaInput) -> tuple[MediaResult, MediaContents]:
    """
    Return the media of a message; without their content if they are larger than the call takes.

    Raises:
        ToolRefused: There are none, or a thumbnail or all of them are too large.
        MediaUnavailable: The platform does not have them any more.
    """
    message = await _message_with_media(agent, args.message_id)
    size = int(getattr(message, "size", 0))
    if args.thumbnail or size <= args.max_bytes:
        media = await _downloaded(agent, message, thumbnail=args.thumbnail)
        if args.thumbnail and media.size > args.max_bytes:
            raise ToolRefused(f"The thumbnail has {media.size} bytes.", code="too-large")
    else:
        media = MediaContents(
            None, media_type_of(message), media_uri(agent, message.message_id), _name_of(message), size
        )
    if media.size > args.max_bytes:
        _check_size(media.size)
        media = media._replace(content=None)
    result = MediaResult(
        message_id=message.message_id, uri=media.uri, mime=media.mime, bytes=media.size, name=short_text(media.name),
        is_included=media.content is not None,
    )  # fmt: skip
    return result, media


async def read_media(agent: Agent, message_id: str) -> MediaContents:
    """
    Return the media of a message with their content.

    Raises:
        ToolRefused: There are none, or they are too large.
        MediaUnavailable: The platform does not have them any more.
    """
    message = await _message_with_media(agent, message_id)
    _check_size(int(getattr(message, "size", 0)))
    media = await _downloaded(agent, message)
    _check_size(media.size)
    return media


async def _message_with_media(agent: Agent, message_id: str) -> Message:
    """
    Return a message that the agent may see, also one that was recalled.

    Raises:
        ToolRefused: There is no such message, or its kind has no media.
    """
    found: Event | Outgoing | None = await agent.message(message_id)
    message = found.original if isinstance(found, MessageRecalled) else found
    if not isinstance(message, Message):
        raise ToolRefused("This message has no media here.", code="no-media")
    return message


async def _downloaded(agent: Agent, message: Message, *, thumbnail: bool = False) -> MediaContents:
    client = await agent.account.owned()
    content = await (client.download_thumbnail(message) if thumbnail else client.download(message))
    mime = picture_type(content[:32]) or media_type_of(message)
    return MediaContents(content, mime, media_uri(agent, message.message_id), _name_of(message), len(content))


def _check_size(size: int) -> None:
    """
    Refuse media that neither a result nor a resource has.

    Raises:
        ToolRefused: They are too large.
    """
    if size > LARGEST_RESOURCE:
        raise ToolRefused(
            f"The media have {size} bytes, and a resource has at most {LARGEST_RESOURCE}; a picture or a video has a "
            "thumbnail (thumbnail=true).",
            code="too-large",
        )  # fmt: skip


def _name_of(message: Message) -> str:
    return message.name if isinstance(message, FileMessage) else ""


def media_uri(agent: Agent, message_id: str) -> str:
    """Return the address of the resource with the media of a message."""
    return f"wx://{quote(agent.account.name, safe='')}/media/{quote(message_id, safe='')}"
