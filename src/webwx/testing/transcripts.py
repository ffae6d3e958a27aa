"""
Transcripts: a chat as text, one message per line, compared with a file beside the test.

A transcript holds no times and no ids, so it is the same in each run.
"""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.testing.people import PhoneUser, To

UPDATE = "--update-transcripts"
"""Option of pytest that writes the files instead of comparing them."""


class TranscriptDiffers(AssertionError):
    """A chat differs from its file."""


class TranscriptFiles:
    """
    The transcripts of one test file.

    Args:
        folder: Folder of the test file.
        phone: The phone whose chat is compared if a call names no phone.
        is_updating: Whether to write the files instead of comparing them.
    """

    def __init__(self, folder: Path, phone: PhoneUser, *, is_updating: bool) -> None:
        self._folder = folder
        self._phone = phone
        self._is_updating = is_updating

    def __call__(self, name: str, *, phone: PhoneUser | None = None, chat: To | None = None) -> None:
        """
        Compare a chat with a file beside the test, once the bots have handled all that was said.

        With the option `--update-transcripts` of pytest, the file is written instead.

        Args:
            name: Path of the file, from the folder of the test.
            phone: The phone that shows the chat; default: the friend's.
            chat: The chat; default: the one with the account.

        Raises:
            TranscriptDiffers: The file has another text, or does not exist. The message shows the difference.
        """
        __tracebackhide__ = True
        path, shown = self._folder / name, (phone or self._phone).transcript(chat)
        if self._is_updating:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(shown, encoding="utf-8", newline="\n")
            return
        if not path.is_file():
            raise TranscriptDiffers(f"{name} does not exist; 'pytest {UPDATE}' writes it:\n{shown}")
        expected = path.read_text(encoding="utf-8")
        if shown != expected:
            lines = unified_diff(expected.splitlines(), shown.splitlines(), name, "this run", lineterm="", n=100)
            raise TranscriptDiffers(f"The chat differs from {name}; 'pytest {UPDATE}' accepts it:\n" + "\n".join(lines))
