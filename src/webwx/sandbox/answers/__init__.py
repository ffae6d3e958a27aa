"""One answer per endpoint, by topic. Importing this package fills `ANSWERS`."""

from webwx.sandbox.answers import contacts, login, media, messages, sync
from webwx.sandbox.visit import ANSWERS

__all__ = ["ANSWERS", "contacts", "login", "media", "messages", "sync"]
