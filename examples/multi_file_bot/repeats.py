"""Repeat what nothing else answers."""

from webwx import Context, ImageMessage, Router, StickerMessage, TextMessage

router = Router()


@router.on(TextMessage, ImageMessage, StickerMessage, group=False)
async def repeat(ctx: Context, message: TextMessage | ImageMessage | StickerMessage) -> None:
    """Send a message back."""
    await ctx.forward(message, ctx.chat)
