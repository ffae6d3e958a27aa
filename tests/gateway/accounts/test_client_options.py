"""The arguments of a client that an account's own settings change."""

from __future__ import annotations

import pytest

from webwx.client.sending.rate_limit import RateLimit
from webwx.gateway.accounts.client_options import client_options
from webwx.model.archive import Keep
from webwx.representations.accounts import AccountSettings

LIMIT = RateLimit()


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (AccountSettings(), {}),
        (AccountSettings(keep="off", rate_limit="off"), {"keep": None, "rate_limit": None}),
        (AccountSettings(keep=Keep(), rate_limit="on"), {"keep": Keep(), "rate_limit": LIMIT}),
    ],
)
def test_only_settings_of_the_account_itself_are_arguments(
    settings: AccountSettings, options: dict[str, object]
) -> None:
    assert client_options(settings, LIMIT) == options
