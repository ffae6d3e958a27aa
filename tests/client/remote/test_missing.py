"""What a client of a gateway does not offer raises one error, whatever the method is."""

from __future__ import annotations

from copy import copy

import pytest

from webwx import AsyncClient, Client
from webwx.client.remote.missing import Missing
from webwx.errors import InvalidSettings, NotLoggedIn, NotThroughGateway

KEY = "wxk_12345678_" + "a" * 43


async def test_every_missing_method_raises_the_same_error_without_a_request() -> None:
    async with AsyncClient(gateway="http://127.0.0.1:9", key=KEY) as client:
        for call in (
            lambda: client.measure(),
            lambda: client.rate_limit_state(),
            lambda: client.purge_history(before=1),
            lambda: client.logout(),
            lambda: client.download("123"),
            lambda: client.send_sticker("a", "0" * 32),
        ):
            with pytest.raises(NotThroughGateway):
                await call()
        for begin in (
            lambda: client.contacts,
            lambda: client.export_history(),
        ):
            with pytest.raises(NotThroughGateway):
                begin()
        with pytest.raises(NotLoggedIn):
            _ = client.account
        assert client.state.value == "new"
        assert client.last_sync_at is None


def test_the_same_holds_without_await() -> None:
    with Client(gateway="http://127.0.0.1:9", key=KEY) as client, pytest.raises(NotThroughGateway, match="purge_kept"):
        client.purge_kept()


def test_a_client_shows_its_gateway_and_never_its_key() -> None:
    assert repr(AsyncClient(gateway="http://127.0.0.1:8791", key=KEY)) == "AsyncClient(GatewayCalls(127.0.0.1:8791))"


@pytest.mark.parametrize(
    "arguments",
    [
        {"gateway": "http://127.0.0.1:8791"},
        {"gateway": "http://127.0.0.1:8791", "key": KEY, "host": "web"},
        {"gateway": "http://127.0.0.1:8791", "key": KEY, "journal": "me.journal"},
        {"key": KEY},
        {"account": "work"},
    ],
)
def test_arguments_that_do_not_belong_together_are_refused(arguments: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="gateway="):
        AsyncClient(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gateway", "key"), [("127.0.0.1:8791", KEY), ("http://a/b", KEY), ("http://a", ""), ("http://a", "a\nb")]
)
def test_an_address_or_a_key_that_cannot_be_one_is_refused_and_not_shown(gateway: str, key: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        AsyncClient(gateway=gateway, key=key)
    assert KEY not in str(refused.value)


def test_it_can_be_copied_like_any_object() -> None:
    assert isinstance(copy(Missing()), Missing)
