"""Tokens of texts, and searches in them."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import sample

from webwx.errors import InvalidRequest
from webwx.model.contacts import ContactId
from webwx.model.messages import (
    AppMessage,
    CardMessage,
    FileMessage,
    FriendRequest,
    HistoryMessage,
    LinkMessage,
    LocationMessage,
    Person,
    PhoneActivity,
    QuoteMessage,
    RedPacketMessage,
    SystemMessage,
    TextMessage,
    TextQuoteMessage,
    TransferMessage,
)
from webwx.storage.tokenizer import MOST_TOKENS, Query, cut, searchable_text

ENVELOPE: dict[str, Any] = {
    "message_id": "1", "chat": "@a", "sender": None, "is_self": False, "time": 0, "content": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("你好世界", ["你", "好", "世", "界"]),
        ("Backup finished!", ["backup", "finished"]),
        ("我的iPhone手机", ["我", "的", "iphone", "手", "机"]),
        ("v1.2_final", ["v1", "2", "final"]),
        ("café CAFÉ cafe\u0301", ["cafe", "cafe", "cafe"]),
        ("Straße", ["strasse"]),
        ("ＡＢＣ１２", ["abc12"]),
        ("ガギ カタ", ["ガ", "ギ", "カ", "タ"]),
        ("안녕 하세요", ["안녕", "하세요"]),
        ("好😀好", ["好", "😀", "好"]),
        ("สว", ["ส", "ว"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("привет мир", ["привет", "мир"]),
        (" ,。！\n\t", []),
        ("", []),
        ("nul\x00and\ud800lone", ["nul", "and", "lone"]),
    ],
)
def test_a_text_is_split_into_words_by_the_rules_of_its_script(text: str, tokens: list[str]) -> None:
    assert tokens == cut(text)


@pytest.mark.parametrize(
    ("words", "text", "is_found"),
    [
        ("好", "你好世界", True),
        ("好世", "你好世界", True),
        ("你世", "你好世界", False),
        ("世界 你", "你好世界", True),
        ("世界 我", "你好世界", False),
        ("back", "the backup is done", True),
        ("ackup", "the backup is done", False),
        ("BACKUP DONE", "the backup is done", True),
        ("手机", "我的iPhone手机", True),
        ("iPhone手", "我的iPhone手机", True),
        ("的iph", "我的iPhone手机", True),
        ("example.com", "see https://example.com/x", True),
        ("example.org", "see https://example.com/x", False),
        ("done back", "backup done", True),
        ('"', 'a "quoted" text', False),
        ("", "anything", False),
        ("😀", "好😀", True),
    ],
)
def test_a_search_finds_words(words: str, text: str, is_found: bool) -> None:
    assert is_found is Query.of(words).finds(cut(text))


TEXTS = st.text(
    st.one_of(
        st.sampled_from("你好世界手机的 aBcé12.,_\"*-()'\x00\ud800\n"), st.characters(codec=None)  # lone surrogates too
    ),
    max_size=20,
)  # fmt: skip


@given(TEXTS)
def test_the_index_does_not_split_a_token(text: str) -> None:
    for token in cut(text):
        assert token
        assert not [sign for sign in token if sign.isascii() and not sign.isalnum()]
        token.encode()


@given(TEXTS)
def test_splitting_tokens_again_changes_nothing(text: str) -> None:
    tokens = cut(text)
    assert tokens == cut(" ".join(tokens))


@given(TEXTS, st.data())
def test_a_text_is_found_by_any_part_that_begins_with_a_complete_word(text: str, data: st.DataObject) -> None:
    tokens = cut(text)
    if tokens:
        first = data.draw(st.integers(0, len(tokens) - 1))
        last = data.draw(st.integers(first, len(tokens) - 1))
        assert Query(((tuple(tokens[first : last + 1])),)).finds(tokens)


@given(st.lists(TEXTS, max_size=8), TEXTS)
def test_the_index_finds_what_a_scan_finds(texts: list[str], words: str) -> None:
    query = Query.of(words)
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE words USING fts5 (text, columnsize = 0, tokenize = 'ascii')")
    for number, text in enumerate(texts):
        db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, " ".join(cut(text))))
    found = (
        db.execute("SELECT rowid FROM words WHERE words MATCH ?", (query.expression,)).fetchall() if query.runs else []
    )
    db.close()

    assert [number for number, text in enumerate(texts) if query.finds(cut(text))] == sorted(each for (each,) in found)


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (sample(TextMessage, lambda name: name), "text"),
        (sample(FileMessage, lambda name: name), "name"),
        (sample(LinkMessage, lambda name: name), "title\ndescription"),
        (sample(LocationMessage, lambda name: name), "name\nlabel"),
        (sample(SystemMessage, lambda name: name), "text"),
        (sample(AppMessage, lambda name: name), "text\ntitle\ndescription\nauthor"),
        (sample(HistoryMessage, lambda name: name), "title\ndescription\ntext"),
        (sample(QuoteMessage, lambda name: name), "text\ntext"),
        (sample(TextQuoteMessage, lambda name: name), "text\nsender_name\ntext"),
        (sample(CardMessage, lambda name: name), "nickname\ncompany"),
        (CardMessage(**ENVELOPE, person=Person(id=ContactId("@a"), nickname="小华")), "小华"),
        (TransferMessage(**ENVELOPE, title="微信转账", note="午饭"), "微信转账\n午饭"),
        (RedPacketMessage(**ENVELOPE, title="微信红包", wish="新年快乐"), "微信红包\n新年快乐"),
        (RedPacketMessage(**ENVELOPE, title="微信红包"), "微信红包"),
        (sample(FriendRequest, lambda name: name), "greeting\nnickname\ncompany"),
        (sample(PhoneActivity, lambda name: name), ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_message_is_found_by_its_shown_text(event: Any, shown: str) -> None:
    assert shown == searchable_text(event)


@pytest.mark.parametrize("separator", ["", " "])
def test_a_search_has_two_hundred_tokens_at_most(separator: str) -> None:
    assert sum(map(len, Query.of(separator.join("好" * MOST_TOKENS)).runs)) == MOST_TOKENS
    for count in (MOST_TOKENS + 1, 100_000):
        with pytest.raises(
            InvalidRequest, match=f"at most 200 words or Chinese characters, and this search has {count:,}"
        ):
            Query.of(separator.join("好" * count))
