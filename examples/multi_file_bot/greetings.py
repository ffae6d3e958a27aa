"""Greet."""

from webwx import Context, Router, TextMessage

router = Router()


@router.on(command=("start", "开始"), group=False)
async def start(ctx: Context, _: TextMessage) -> None:
    """Say hello."""
    contact = ctx.client.contacts.get(ctx.chat)
    await ctx.reply(f"Hello, {contact.nickname if contact else 'stranger'}!")
