"""Repeat every message that no other handler answers."""

from webwx import Context, ImageMessage, Router, StickerMessage, TextMessage

router = Router()


@router.on(TextMessage, ImageMessage, StickerMessage, group=False)
async def repeat(ctx: Context, message: TextMessage | ImageMessage | StickerMessage) -> None:
    """Reply with the same message."""
    await ctx.forward(message, ctx.chat)
