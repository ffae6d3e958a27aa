"""What the parts of a gateway see of its storage."""

from __future__ import annotations

import pytest

from webwx.gateway.storage_views import OwnedLogins
from webwx.storage.account_folder import LoginName
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.refusals import NotOwner


async def test_the_login_of_an_account_that_was_lost_is_refused() -> None:
    storage, uins = PostgresStorage("postgresql:///unused", passphrase="three words long"), {"work": 7}
    view, name = OwnedLogins(storage, uins), LoginName("work", "wx.qq.com")
    view.login(name)
    del uins["work"]
    with pytest.raises(NotOwner):
        view.login(name)
    await storage.close()
