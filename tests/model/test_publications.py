"""The latest articles of official accounts."""

from __future__ import annotations

import json

import pytest
from tests.corpus import CORPUS

from webwx.model.contacts import ContactId
from webwx.model.messages import LinkedArticle
from webwx.model.publications import Publication, read_publications
from webwx.protocol.contacts import WEBWXINIT
from webwx.protocol.http import Response

NEWS = {
    "UserName": "@gh", "NickName": "晨&amp;报", "Time": 1_560_000_000, "MPArticleCount": 2,
    "MPArticleList": [
        {"Title": "一 &lt; 二", "Digest": "摘&amp;要", "Cover": "http://c|640|360", "Url": "http://a?b=1&c=2"},
        {"Title": "三", "Digest": "", "Cover": "", "Url": ""},
    ],
}  # fmt: skip


def test_a_publication_has_its_account_and_its_articles() -> None:
    assert read_publications([json.dumps(NEWS).encode()]) == [
        Publication(
            account=ContactId("@gh"), name="晨&报", time=1_560_000_000,
            articles=(
                LinkedArticle(title="一 < 二", url="http://a?b=1&c=2", digest="摘&要", cover_url="http://c"),
                LinkedArticle(title="三", url=""),
            ),
        )
    ]  # fmt: skip


def test_a_time_that_no_calendar_can_show_is_unknown() -> None:
    [read] = read_publications([json.dumps(NEWS | {"Time": 1_560_000_000_000}).encode()])
    assert read.time == 0


@pytest.mark.parametrize("damaged", [b"{}", b"7", b'{"UserName":'])
def test_a_damaged_publication_affects_no_other(damaged: bytes) -> None:
    read = read_publications([damaged, b'{"UserName":"@gh"}'])
    assert read == [Publication(account=ContactId("@gh"), name="", time=0, articles=())]


@pytest.mark.parametrize(("file", "counts"), [("001", []), ("002", [1]), ("003", [1]), ("004", []), ("005", [1, 2])])
def test_real_answers_list_publications(file: str, counts: list[int]) -> None:
    reply = WEBWXINIT.decode_reply(Response(body=(CORPUS / f"webwxinit/{file}.json").read_bytes()))
    read = read_publications(reply.mp_subscribe_msg_list)
    assert [len(each.articles) for each in read] == counts
    assert all(each.name and each.time and article.url and article.title for each in read for article in each.articles)
    assert not any("|" in article.cover_url for each in read for article in each.articles)
