"""Conversion of a notification into a message: its text within the platform's limit, its files, and its age."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from webwx.gateway.notify.notification import AttachedFile
from webwx.gateway.notify.render import clean, one_line

if TYPE_CHECKING:
    from datetime import tzinfo

    from webwx.gateway.notify.notification import Notification

LONGEST_TEXT = 16_000
"""Maximum number of characters of a text that is sent whole."""
SHORTENED_TEXT = 15_800
"""Number of characters of a longer text that are sent."""
WHOLE_TEXT = "message.txt"
"""Name of the file that has the whole of a longer text."""
LATE_SECONDS = 120
"""Seconds in the queue after which a message shows its age."""


class OutgoingMessage(NamedTuple):
    """A text and the files that follow it."""

    text: str
    files: tuple[AttachedFile, ...] = ()


def compose(notification: Notification) -> OutgoingMessage:
    """Compose the message: severity and title, an empty line, the text, and the link."""
    title, text = one_line(notification.title), clean(notification.text)
    text = "\n".join(part for part in (text, *notification.file_urls) if part)
    if notification.link and notification.link not in text:
        text = f"{text}\n{notification.link}" if text else notification.link
    whole = f"{title}\n\n{text}" if title and text else title or text
    sign = notification.severity.value
    if sign and whole and not whole.startswith(sign):
        whole = f"{sign} {whole}"
    return shorten(OutgoingMessage(whole, notification.files))


def shorten(message: OutgoingMessage) -> OutgoingMessage:
    """Cut a text that is too long, and add the whole text as a file."""
    if len(message.text) <= LONGEST_TEXT:
        return message
    whole = AttachedFile(name=WHOLE_TEXT, content=message.text.encode(), media_type="text/plain")
    return OutgoingMessage(f"{message.text[:SHORTENED_TEXT]}…", (whole, *message.files))


def with_age(message: OutgoingMessage, queued_at: float, now: float, zone: tzinfo = UTC) -> OutgoingMessage:
    """
    Put the age of a late message in front of its text.

    Args:
        message: The message.
        queued_at: Time at which the request arrived: seconds since 1970.
        now: Time at which the message is sent: seconds since 1970.
        zone: Zone of the time that is shown.
    """
    late = now - queued_at
    if late < LATE_SECONDS or not message.text:
        return message
    line = f"⏳ {local_time(queued_at, zone)}, {duration(late)} late"
    return shorten(OutgoingMessage(f"{line}\n{message.text}", message.files))


def local_time(seconds: float, zone: tzinfo = UTC) -> str:
    """Return a time as `MM-DD HH:MM`."""
    return datetime.fromtimestamp(seconds, zone).strftime("%m-%d %H:%M")


def duration(seconds: float) -> str:
    """Return a duration with its two largest units, such as `3 h 5 min`."""
    minutes = max(int(seconds // 60), 1)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"
