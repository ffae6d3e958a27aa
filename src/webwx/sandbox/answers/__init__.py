"""One answer per endpoint, by topic. Importing this package fills `ANSWERS`."""

from webwx.sandbox.answers import chatrooms, contacts, login, media, messages, reports, sync
from webwx.sandbox.visit import ANSWERS

__all__ = ["ANSWERS", "chatrooms", "contacts", "login", "media", "messages", "reports", "sync"]
