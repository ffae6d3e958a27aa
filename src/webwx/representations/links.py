"""Links that work without a key, as the API shows them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from webwx.representations.route import ACCOUNT, ApiRoute, NoQuery


class LinkToShare(msgspec.Struct, frozen=True, kw_only=True):
    """A link that opens one thing without a key: the media of a message, or the code of a login."""

    url: str
    expires_at: datetime

    def __repr__(self) -> str:
        return "LinkToShare(***)"


CREATE_MEDIA_LINK: ApiRoute[NoQuery, None, LinkToShare] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/messages/{{event:int}}/media/link", scope="read:media",
    summary="Make a link to media", reply=LinkToShare, problems=(404, 424, 503), created=True,
)  # fmt: skip

CREATE_LOGIN_LINK: ApiRoute[NoQuery, None, LinkToShare] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/login/link", scope="login", summary="Make a link to the login code",
    reply=LinkToShare, problems=(404, 503), created=True,
)  # fmt: skip
