"""One handler per endpoint, by topic. Importing this package fills `HANDLERS`."""

from webwx.sandbox.call import HANDLERS
from webwx.sandbox.handlers import chatrooms, contacts, login, media, messages, reports, sync

__all__ = ["HANDLERS", "chatrooms", "contacts", "login", "media", "messages", "reports", "sync"]
