"""
Send each message as JSON by POST to your own address.

    WEBHOOK_URL=https://example.com/wechat WEBHOOK_SECRET=… webwx run examples/webhook.py

The body is what `webwx listen --json` prints. Its headers are for the receiver to check:

    Webwx-Event       names the event; the same at each attempt, so that one which came twice is seen to
    Webwx-Attempt     how often it has been tried, this time included
    Webwx-Timestamp   when this attempt was made: seconds since 1970
    Webwx-Signature   sha256=…: HMAC of the timestamp, a dot and the body, with the secret

Any answer but a 2xx is a failure, a redirect too, because only you decide where messages go. The bot retries after a
pause, and an event that fails in each attempt becomes a dead letter: see docs/howto/dead-letters.md.
"""

import hashlib
import hmac
import logging
import os
import time
import urllib.request

from webwx import Bot, CardMessage, FriendRequest, Message, PossibleFriend, SyncContext, event_to_json

URL = os.environ["WEBHOOK_URL"]
SECRET = os.environ["WEBHOOK_SECRET"].encode()

bot = Bot(name="webhook")
log = logging.getLogger("webhook")


# The default opener follows redirects and uses proxies; this one does neither.
opener = urllib.request.OpenerDirector()
for handler in (urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()):
    opener.add_handler(handler)


def is_harmless(message: Message) -> bool:
    """Return whether a message may be posted: those with a ticket for a friend request may not."""
    return not isinstance(message, (FriendRequest, CardMessage, PossibleFriend))


# A plain function runs in a thread, so it may wait for the response.
@bot.on(Message, is_harmless)
def post(ctx: SyncContext, message: Message) -> None:
    """Send one message to the address."""
    body = event_to_json(message).encode()
    now = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "Webwx-Event": f"{message.time}-{message.number}",
        "Webwx-Attempt": str(ctx.attempt),
        "Webwx-Timestamp": now,
        "Webwx-Signature": "sha256=" + hmac.new(SECRET, f"{now}.".encode() + body, hashlib.sha256).hexdigest(),
    }
    request = urllib.request.Request(URL, body, headers)  # noqa: S310 - the address is your own
    with opener.open(request, timeout=10) as answer:
        if answer.status // 100 != 2:
            raise RuntimeError(f"The receiver has answered {answer.status}.")


@bot.on_error
def failed(ctx: SyncContext, _: Message | None, error: Exception) -> None:
    """Log that an event is given up."""
    if ctx.is_last_attempt:
        log.error("%r could not be forwarded: %s", ctx, error)


if __name__ == "__main__":
    bot.run()
