"""Run every test in this folder for each transport on each supported event loop."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
import trustme
import uvloop
from tests.client.virtual_loop import VirtualClockLoop

from webwx.transport.aiohttp_transport import AiohttpTransport
from webwx.transport.http11 import Http11Transport
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from webwx.transport.runner import Transport


class Make(Protocol):
    """Makes transports, which are closed after the test."""

    def __call__(self, *, proxy: str | None = None, ca_file: Path | None = None, **timeouts: float) -> Transport: ...


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the event loops of a test; time limits have a virtual clock in `make test`."""
    if item.path.name == "test_deadlines.py":
        return {"asyncio": partial(VirtualClockLoop, grace=0.003), "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests on the other event loop in `make verify` only."""
    for item in items:
        if item.path.parent == Path(__file__).parent and "uvloop" in item.name:
            item.add_marker("verify")


@pytest.fixture(
    params=[Http11Transport, AiohttpTransport],
    ids=["http11", "aiohttp"],
)
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    made: list[Transport] = []

    def make(*, proxy: str | None = None, ca_file: Path | None = None, **timeouts: float) -> Transport:
        made.append(request.param(Timeouts(**{"call": 5.0} | timeouts), proxy=proxy, ca_file=ca_file))
        return made[-1]

    yield make
    for transport in made:
        await transport.close()


@pytest.fixture
def transport(make: Make) -> Transport:
    return make()


@pytest.fixture
def hasty(make: Make) -> Transport:
    """A transport with a short time limit."""
    return make(call=0.1, poll=0.1, bulk=0.1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that no client trusts by default."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """A file with the certificate of `authority`."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"
