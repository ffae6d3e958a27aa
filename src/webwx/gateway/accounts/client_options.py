"""The arguments of a client that an account's own settings change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.accounts import ClientOptions

if TYPE_CHECKING:
    from webwx.client.sending.rate_limit import RateLimit
    from webwx.representations.accounts import AccountSettings


def client_options(settings: AccountSettings, rate_limit: RateLimit) -> ClientOptions:
    """Return the arguments of a client that differ from those of the other accounts."""
    options = ClientOptions()
    if settings.keep is not None:
        options["keep"] = None if settings.keep == "off" else settings.keep
    if settings.rate_limit is not None:
        options["rate_limit"] = rate_limit if settings.rate_limit == "on" else None
    return options
