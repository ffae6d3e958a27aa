"""
Save the files that you send from your phone to File Transfer Helper into a folder, and confirm each one.

    webwx run examples/file_inbox.py

`INBOX_FOLDER` is the folder, by default `inbox` in the working directory. `INBOX_CHATS` lists the chats, separated by
commas: `INBOX_CHATS=filehelper,Boss` also saves the files that the boss sends.

A file is named by its time and its number in the journal, so names are unique. If a message is delivered again after a
crash, its file already exists and is not saved twice.
"""

import os
import tempfile
from datetime import datetime
from pathlib import Path

from webwx import Bot, FileMessage, ImageMessage, MediaUnavailable, Message, SyncContext, VideoMessage, VoiceMessage

FOLDER = Path(os.environ.get("INBOX_FOLDER", "inbox"))
CHATS = tuple(name.strip() for name in os.environ.get("INBOX_CHATS", "filehelper").split(","))

bot = Bot(name="file-inbox")


# A plain function runs in a thread of its own, so a slow disk does not delay other handlers.
@bot.on(FileMessage, ImageMessage, VideoMessage, VoiceMessage, chat=CHATS)
def save(ctx: SyncContext, message: Message) -> None:
    """Download the file and log its path."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    prefix = f"{datetime.fromtimestamp(message.time).astimezone():%Y-%m-%d %H.%M.%S} {message.number} "
    saved = next(FOLDER.glob(f"{prefix}*"), None)
    if saved is None:
        # It gets its name in one step when it is complete; the name that the sender gave it was made harmless before.
        with tempfile.TemporaryDirectory(prefix=".", dir=FOLDER) as scratch:
            try:
                file = ctx.download_to(message, scratch)
            except MediaUnavailable:
                if not ctx.is_last_attempt:
                    raise  # a phone may still be uploading it
                ctx.reply("That could not be saved: it is gone.")
                return
            saved = file.rename(FOLDER / f"{prefix}{file.name}")
    ctx.reply(f"Saved {saved.name}")


if __name__ == "__main__":
    bot.run()
