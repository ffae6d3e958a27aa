"""The saved login of an account, for the gateway that runs the account."""

from __future__ import annotations

import pytest

from webwx.gateway.ownership.leased import owned_login
from webwx.storage.account_folder import LoginName
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.refusals import NotOwner


async def test_the_login_of_an_account_that_was_lost_is_refused() -> None:
    storage, uins = PostgresStorage("postgresql:///unused", passphrase="three words long"), {"work": 7}
    name = LoginName("work", "wx.qq.com")
    owned_login(storage, uins, name)
    del uins["work"]
    with pytest.raises(NotOwner):
        owned_login(storage, uins, name)
    await storage.close()
