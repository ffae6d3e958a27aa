"""
Promises of the pages, each tried once from outside, in the way in which a user sets things up.

Everything is real: processes, certificates, proxies, a pooler, a browser, and programs in another language. These tests
use commands, sockets and pages only; they import nothing of webwx.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import trustme
from tests.cli.conftest import running_sandbox
from tests.journeys.served import Certificate, User
from tests.machine_network import steady_network as steady_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.forks import Forks
    from tests.secret_scanner import SecretScanner


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave journeys to `make verify`: they start many processes."""
    for item in items:
        if "journeys" in item.path.parts and item.path.stem != "test_promises":
            item.add_marker(pytest.mark.verify)


@pytest.fixture(scope="module")
def new_user(
    tmp_path_factory: pytest.TempPathFactory, secret_scanner: SecretScanner, forks: Forks
) -> Iterator[Callable[..., User]]:
    """
    Return a function that makes users.

    The phones of each confirm every login, as the pages start the sandbox, unless the function gets `confirms=False`.
    """
    with ExitStack() as running:

        def make(*, confirms: bool = True) -> User:
            sandbox = running.enter_context(running_sandbox(forks, *(["--auto-confirm"] if confirms else [])))
            return User(tmp_path_factory.mktemp("user") / "home", sandbox, secret_scanner.record, forks)

        yield make


@pytest.fixture
def user(new_user: Callable[..., User]) -> User:
    """A user with an empty home folder."""
    return new_user()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for the gateway's name, and the authority that has signed it."""
    folder = tmp_path_factory.mktemp("certificate")
    authority = trustme.CA()
    made = authority.issue_cert("wx.example.org", "127.0.0.1")
    made.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    made.private_key_pem.write_to_path(folder / "key.pem")
    for number, blob in enumerate(made.cert_chain_pems):
        blob.write_to_path(folder / "chain.pem", append=number > 0)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return Certificate(folder)
