"""Articles that official accounts have published, as the first snapshot of a session lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.errors import ProtocolError
from webwx.model.contacts import ContactId
from webwx.model.delivery import sound_time
from webwx.model.messages import LinkedArticle
from webwx.model.text import plain_text
from webwx.protocol.codec import read_json
from webwx.protocol.contacts import PublicAccountNews

if TYPE_CHECKING:
    from collections.abc import Iterable


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """The latest articles of an official account that this account follows."""

    account: ContactId
    """Id of the official account in this login."""
    name: str
    """Name of the official account."""
    time: int
    """Time of the publication: seconds since 1970; 0 if unknown."""
    articles: tuple[LinkedArticle, ...]
    """The articles in their order, with title, address, digest and cover."""


def read_publications(raws: Iterable[bytes | msgspec.Raw]) -> list[Publication]:
    """Decode the publications one by one, in their order; an invalid one is omitted."""
    read = []
    for raw in raws:
        try:
            news = read_json(raw, PublicAccountNews)
        except ProtocolError:
            continue
        articles = tuple(
            LinkedArticle(
                title=plain_text(each.title),
                url=each.url,
                digest=plain_text(each.digest),
                cover_url=each.cover.partition("|")[0],
            )
            for each in news.mp_article_list
        )
        read.append(
            Publication(
                account=ContactId(news.user_name),
                name=plain_text(news.nick_name),
                time=sound_time(news.time),
                articles=articles,
            )
        )
    return read
