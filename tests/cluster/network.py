"""A network of its own for a process: a namespace whose only link to this machine can be set down."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.machine_network import changing_network
from tests.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_numbers = itertools.count()


class Network:
    """A namespace with one link, at whose other end this machine is."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.name = f"wx{os.getpid()}n{number}"
        """The name of the namespace, and of the link's end in this machine's network."""
        block = (os.getpid() * 4 + number) % 16_384
        subnet = f"10.213.{block >> 6}.{(block & 63) * 4}".rpartition(".")
        self.host, self._inner = (f"{subnet[0]}.{int(subnet[2]) + each}" for each in (1, 2))

    @property
    def wrapper(self) -> list[str]:
        """The command that runs a program in the namespace."""
        return ["ip", "netns", "exec", self.name]

    def make(self) -> None:
        """Make the namespace and its link."""
        _ip("netns", "add", self.name)
        _ip("link", "add", self.name, "type", "veth", "peer", "name", "inner", "netns", self.name)
        _ip("address", "add", f"{self.host}/30", "dev", self.name)
        _ip("link", "set", self.name, "up")
        for each in (
            ("address", "add", f"{self._inner}/30", "dev", "inner"), ("link", "set", "inner", "up"),
            ("link", "set", "lo", "up"),
        ):  # fmt: skip
            _ip("-n", self.name, *each)

    def cut(self) -> None:
        """Set the link down."""
        _ip("-n", self.name, "link", "set", "inner", "down")

    def mend(self) -> None:
        """Set the link up."""
        _ip("-n", self.name, "link", "set", "inner", "up")

    def remove(self) -> None:
        """Remove the namespace, and with it the link."""
        _ip("netns", "delete", self.name)

    @contextmanager
    def lead(self, port: int) -> Iterator[None]:
        """Lead a port of the namespace's loopback to the same port of this machine's, over the link."""
        with Relay(("127.0.0.1", port), host=self.host) as outer:
            command = [*self.wrapper, sys.executable, "-m", "tests.relay", str(port), self.host, str(outer.port)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as inner:
                assert inner.stdout is not None
                assert inner.stdout.readline() == b"ready\n"
                try:
                    yield
                finally:
                    inner.kill()

    @contextmanager
    def lead_to(self, socket: Path) -> Iterator[Relay]:
        """Lead a port of this machine's end of the link to a Unix socket."""
        with Relay(socket, host=self.host) as relay:
            yield relay


@contextmanager
def network() -> Iterator[Network]:
    """Make a network; skip the test where the kernel refuses it."""
    made = Network()
    probe = ["ip", "netns", "add", f"{made.name}p"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("the kernel refuses network namespaces here")
    _ip("netns", "delete", f"{made.name}p")
    with ExitStack() as stack:
        stack.enter_context(changing_network())
        stack.callback(made.remove)
        made.make()
        yield made


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
