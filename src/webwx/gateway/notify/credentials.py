"""Tokens in the Authorization header, and signatures of bodies."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

from webwx.gateway.notify.refusal import Refusal, RefusalReason

if TYPE_CHECKING:
    from webwx.gateway.notify.request import HookRequest


ROBOT_SECONDS = 3600
"""Seconds for which the signature of a robot's message is valid."""


def authorization_tokens(header: str) -> tuple[str, ...]:
    """Return the possible tokens, the most likely first: that of `Bearer`, or the password and the user of `Basic`."""
    scheme, _, rest = header.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() != "basic" or not rest:
        return (rest,) if rest else ()
    try:
        user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return (rest,)  # some clients send the token itself, unencoded
    return tuple(dict.fromkeys(each for each in (password, user, rest) if each))


def path_or_authorization(request: HookRequest) -> tuple[str, ...]:
    """Return the token of the path, or those of the Authorization header."""
    token = request.values.get("token")
    return (token,) if token else authorization_tokens(request.header("authorization"))


def check_hmac(body: bytes, secret: str, signature: str) -> None:
    """
    Check a hexadecimal HMAC-SHA256 in constant time.

    Raises:
        Refusal: The signature is missing or wrong.
    """
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.strip().lower().encode()):
        raise Refusal(RefusalReason.BAD_SIGNATURE)


def check_robot_signature(key: bytes, message: bytes, signature: str, *, made_at: float, now: float) -> None:
    """
    Check the base64 of an HMAC-SHA256 in constant time, and that it was made within an hour.

    Args:
        key: Key of the HMAC.
        message: Message of the HMAC.
        signature: The signature of the request.
        made_at: Time that is signed: seconds since 1970.
        now: The current time: seconds since 1970.

    Raises:
        Refusal: The signature is missing, wrong or old.
    """
    expected = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest())
    is_right = hmac.compare_digest(expected, signature.strip().encode())
    if not is_right or abs(now - made_at) > ROBOT_SECONDS:
        raise Refusal(RefusalReason.BAD_SIGNATURE)


def check_secret(secret: str, given: str) -> None:
    """
    Compare a secret in constant time.

    Raises:
        Refusal: The secret is missing or wrong.
    """
    if not hmac.compare_digest(secret.encode(), given.encode()):
        raise Refusal(RefusalReason.BAD_SIGNATURE)


def is_webhook_secret(secret: str) -> bool:
    """Return whether a text is a secret of Standard Webhooks."""
    try:
        return len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) >= 24
    except (binascii.Error, ValueError):
        return False


def check_standard_webhook(request: HookRequest, secret: str, now: float, tolerance: float = 300.0) -> None:
    """
    Check that one of the signatures of Standard Webhooks is right: `v1,<base64 HMAC-SHA256 of id.timestamp.body>`.

    Raises:
        Refusal: The signature is missing or wrong, or its time differs by more than the tolerance.
    """
    identifier, timestamp = request.header("webhook-id"), request.header("webhook-timestamp")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        is_recent = abs(now - int(timestamp)) <= tolerance
    except (binascii.Error, ValueError):
        raise Refusal(RefusalReason.BAD_SIGNATURE) from None
    signed = f"{identifier}.{timestamp}.".encode() + request.body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = [each.encode() for each in request.header("webhook-signature").split()[:10]]
    if not is_recent or not any(hmac.compare_digest(expected, each) for each in given):
        raise Refusal(RefusalReason.BAD_SIGNATURE)
