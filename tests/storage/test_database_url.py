"""URLs of databases: an invalid one is refused, and no text about one contains its password."""

from __future__ import annotations

import pytest

from webwx.errors import InvalidSettings
from webwx.storage.database_url import (
    check_database_url,
    describe_database,
    has_password,
    split_search_path,
    split_servers,
)
from webwx.storage.open import open_journal, open_records, open_storage

SECRET = "Gx7pQ2"


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://me:{SECRET}@db.test/webwx",
        f"postgresql://me:a/{SECRET}@db.test/webwx",
        f"postgresql://me:a#{SECRET}@db.test/webwx",
        f"postgresql://me:a@{SECRET}@db.test/webwx",
        f"postgresql://me:a?{SECRET}@db.test/webwx",
        f"postgresql://me?{SECRET}@db.test/webwx",
        f"postgresql://[{SECRET}@db.test/webwx",
        f"me:{SECRET}@db.test/webwx",
    ],
)
def test_an_address_that_is_no_database_is_refused_without_a_part_of_it(url: str) -> None:
    with pytest.raises(InvalidSettings, match="postgresql://USER@HOST/DATABASE") as refused:
        check_database_url(url)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (f"postgresql://me:{SECRET}@db.test:5433/webwx?sslmode=require", "the database 'webwx' on db.test:5433"),
        (f"postgres://me:{SECRET}@one.test,two.test:5433/w", "the database 'w' on one.test,two.test:5433"),
        (f"postgresql://[::1]:5433/w?user=me&password={SECRET}", "the database 'w' on [::1]:5433"),
        ("postgresql://me@/w?host=/run/postgresql", "the database 'w' on /run/postgresql"),
        ("postgresql://", "the database 'of the user' on this machine"),
    ],
)
def test_a_valid_address_is_described_by_host_and_database(url: str, place: str) -> None:
    check_database_url(url)
    assert describe_database(url) == place
    assert has_password(url) == (SECRET in url)


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("postgresql://me:a%2Cb@one,two:5433/w?x=1", ["postgresql://me:a%2Cb@one/w?x=1", "postgresql://me:a%2Cb@two:5433/w?x=1"]),
        ("postgresql://[::1]:1,[::2]/w", ["postgresql://[::1]:1/w", "postgresql://[::2]/w"]),
        ("postgresql://me@/w?host=/a,/b&x=1,2", ["postgresql://me@/w?host=/a&x=1,2", "postgresql://me@/w?host=/b&x=1,2"]),
        ("postgresql:///w?host=/a,/b&port=1,2", ["postgresql:///w?host=/a,/b&port=1,2"]),
        ("postgresql://me@one/w?x=1,2", ["postgresql://me@one/w?x=1,2"]),
        ("postgresql://", ["postgresql://"]),
    ],
)  # fmt: skip
def test_a_url_of_several_servers_is_split_into_one_for_each(url: str, servers: list[str]) -> None:
    assert split_servers(url) == servers


def test_the_address_of_an_unknown_engine_is_not_repeated() -> None:
    url = f"mysql://me:{SECRET}@db.test/webwx"
    for opened in (open_journal, open_records, open_storage):
        with pytest.raises(InvalidSettings, match="mysql://") as refused:
            opened(url)
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "without", "path"),
    [
        ("postgresql://me@db/wx", "postgresql://me@db/wx", None),
        ("postgresql://me@db/wx?search_path=a%2Cb", "postgresql://me@db/wx", "a,b"),
        ("postgresql://@/wx?host=/x&search_path=a&sslmode=disable", "postgresql://@/wx?host=/x&sslmode=disable", "a"),
    ],
)
def test_the_search_path_is_separated_from_a_url(url: str, without: str, path: str | None) -> None:
    assert split_search_path(url) == (without, path)
