"""How Python's own tools show the public names: `help`, `pydoc` and `inspect`."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing

import pytest

import webwx

PUBLIC = {name: getattr(webwx, name) for name in webwx.__all__}
CALLABLE = {
    name: value
    for name, value in PUBLIC.items()
    if callable(value) and not typing.is_typeddict(value) and not isinstance(value, typing.NewType)
}


@pytest.mark.parametrize("name", CALLABLE)
def test_a_public_name_has_a_signature(name: str) -> None:
    assert inspect.signature(CALLABLE[name]).parameters is not None


@pytest.mark.parametrize("name", [name for name, value in CALLABLE.items() if isinstance(value, type)])
def test_the_methods_of_a_public_class_have_signatures(name: str) -> None:
    for attribute, value in inspect.getmembers(PUBLIC[name], inspect.isfunction):
        if not attribute.startswith("_"):
            assert inspect.signature(value).parameters is not None


def test_pydoc_shows_the_package() -> None:
    done = subprocess.run([sys.executable, "-m", "pydoc", "webwx"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in PUBLIC)
