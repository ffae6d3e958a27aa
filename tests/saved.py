"""A login as a value, with the keys of the recordings."""

from __future__ import annotations

from webwx.model.login import Login
from webwx.protocol.cookies import Jar
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.login import Credentials
from webwx.protocol.sync import KeyValue, SyncKey

NOW = 1_560_000_000.123

ME = "@00aa11bb22cc33dd"


def sync_key(*values: int) -> SyncKey:
    """Return a sync key with these counter values."""
    return SyncKey(count=len(values), list=tuple(KeyValue(key=at, val=val) for at, val in enumerate(values, 1)))


LOGIN = Login(
    profile_name="web",
    server=None,
    hosts=FAMILIES["wx2.qq.com"],
    credentials=Credentials(
        uin=1234567890,
        sid="AbCdEfGhIjKlMnOp",
        skey="@crypt_0a1b2c3d_ffeeddccbbaa99887766554433221100",
        device_id="e123456789012345",
    ),
    pass_ticket="k3Yq%2BZ0example%3D",
    user_id=ME,
    nickname="小明",
    jar=Jar().updated(
        "https://wx2.qq.com/",
        (
            "wxuin=1234567890; Domain=wx2.qq.com; Path=/",
            "wxsid=AbCdEfGhIjKlMnOp; Domain=wx2.qq.com; Path=/",
            "webwx_data_ticket=gSexampleTicket0123456789; Domain=.wx2.qq.com; Path=/",
        ),
        NOW,
    ),
    fetch_key=sync_key(10, 20),
    check_key=sync_key(11, 21),
)

SECRETS = ("AbCdEfGhIjKlMnOp", "@crypt_0a1b2c3d", "k3Yq", "gSexampleTicket")
"""Prefixes of secrets that no error may show."""
