"""What a client of a gateway does not offer raises one error, whatever the method is."""

from __future__ import annotations

import re
from inspect import getattr_static, getsource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from webwx import AsyncClient, Client
from webwx.client import remote
from webwx.client.remote.missing import REASONS
from webwx.errors import ConnectFailed, InvalidSettings, NotLoggedIn, NotThroughGateway
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEY = "wxk_12345678_" + "a" * 43


async def test_each_missing_method_raises_the_same_error_with_its_reason_and_without_a_request() -> None:
    async with AsyncClient(gateway="http://127.0.0.1:9", key=KEY) as client:
        subscription = client.subscribe("bot")
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "purge_history: no key may delete": lambda: client.purge_history(before=1),
            "purge_kept: no key may delete": lambda: client.purge_kept(),
            "queue_file: the gateway stores a file": lambda: client.queue_file("a", "b.txt", key="c"),
            "read_again: a bot runs inside": lambda: subscription.read_again([]),
            "sends a sticker as a GIF": lambda: client.send_sticker("a", "0" * 32),
        }
        for sentence, call in calls.items():
            with pytest.raises(NotThroughGateway, match=sentence):
                await call()
        with pytest.raises(NotThroughGateway, match="contacts: a property cannot wait"):
            _ = client.contacts
        with pytest.raises(NotLoggedIn):
            _ = client.account
        assert client.state.value == "new"
        assert client.state_since is None
        assert client.last_sync_at is None
        await client.store_outcomes()
        await client.wait_for_kept()


async def test_every_other_method_is_offered() -> None:
    """A method that is not offered is an attribute of a component that raises; the others are asked for a request."""
    async with AsyncClient(gateway="http://127.0.0.1:9", key=KEY, account="me", timeouts=Timeouts(retry=0)) as client:
        for call in (
            lambda: client.who("a"),
            lambda: client.why("a"),
            lambda: client.list_identities(),
            lambda: client.merge_identities("a", "b"),
            lambda: client.split_identity("a", "b"),
            lambda: client.get_contacts(["a"]),
            lambda: client.find_people(["a"]),
            lambda: client.invite_members("a", ["b"]),
            lambda: client.download_avatar("a", met_in="b"),
            lambda: client.download("a"),
            lambda: client.list_consumers(),
            lambda: client.forget_consumer("a"),
            lambda: client.logout(),
            lambda: client.measure(),
            lambda: client.rate_limit_state(),
            lambda: anext(client.export_history()),
        ):
            with pytest.raises(ConnectFailed):
                await call()


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


# -- rules of the package --------------------------------------------------------------------------------------------

REMOTE = Path(remote.__file__).parent

SOURCES = {path.name: path.read_text("utf-8") for path in REMOTE.glob("*.py")}


async def test_every_method_of_the_client_is_remote_or_has_a_reason() -> None:
    """The components that the client uses have these methods; mypy compares the signatures."""
    async with AsyncClient(gateway="http://127.0.0.1:9", key=KEY) as client:
        held = client._components._asdict()
    used = set(re.findall(r"self\._(?:components\.)?(\w+)\.(\w+)", getsource(AsyncClient)))
    used -= {("components", "describe"), ("components", "close")}
    assert len(used) > 60
    missing = [each for each in used if getattr_static(held[each[0]], each[1], None) is None]
    assert missing == [], "add these methods in src/webwx/client/remote, see docs/development/client-method.md"


def test_each_refusal_has_a_reason_and_each_reason_a_refusal() -> None:
    refused = [name for source in SOURCES.values() for name in re.findall(r"not_offered\(\"(\w+)\"\)", source)]
    assert sorted(refused) == sorted(REASONS)


def test_no_remote_component_answers_for_names_that_it_does_not_define() -> None:
    assert [name for name, source in SOURCES.items() if "__getattr__" in source] == []
