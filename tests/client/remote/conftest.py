"""The same account twice: with a login of the client's own, and through a real `webwx serve`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import pytest
from tests.cli.conftest import friend, me, sandbox, shell  # noqa: F401 - fixtures
from tests.cli.gateway.test_serve import new_key, serving

from webwx.client.client import AsyncClient
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

    from tests.cli.conftest import Shell

QUICK = Timeouts(retry=0.01)


class OpenGateway(Protocol):
    def __call__(self, *scopes: str) -> AbstractAsyncContextManager[AsyncClient]: ...


@pytest.fixture
def url(me: Shell) -> Iterator[str]:  # noqa: F811 - a fixture
    """Address of a gateway that keeps 小明 logged in."""
    with serving(me) as (_, first_line):
        yield first_line["url"]


@pytest.fixture
def open_gateway(me: Shell, url: str) -> OpenGateway:  # noqa: F811 - a fixture
    """Return a client of the gateway, whose key has some scopes."""

    @asynccontextmanager
    async def opened(*scopes: str) -> AsyncIterator[AsyncClient]:
        key = new_key(me, ",".join(scopes or ("admin",)))
        async with AsyncClient(gateway=url, key=key, timeouts=QUICK) as client:
            yield client

    return opened


@pytest.fixture(params=["own", "gateway"])
async def client(request: pytest.FixtureRequest, me: Shell) -> AsyncIterator[AsyncClient]:  # noqa: F811 - a fixture
    """A client with a login of its own, and one that uses a gateway."""
    if request.param == "own":
        settings = me.settings
        async with AsyncClient(
            **settings.for_client(),
            store=settings.open_storage().login(settings.login_name),
            journal=settings.journal_path,
        ) as client:
            await client.resume()
            yield client
        return
    open_gateway: OpenGateway = request.getfixturevalue("open_gateway")
    async with open_gateway() as client:
        yield client
