"""Calls that only the owner of an account can make."""

from __future__ import annotations

import inspect
from typing import NoReturn

import pytest

from webwx.gateway.owner_calls import OwnerCalls
from webwx.gateway.problems import GatewayProblem


class Unowned(OwnerCalls):
    async def refuse(self) -> NoReturn:
        raise GatewayProblem("unavailable")


CALLS = [name for name in vars(OwnerCalls) if not name.startswith("_") and name not in {"refuse", "consume"}]


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_is_refused(name: str) -> None:
    call = getattr(Unowned(), name)
    arguments = [0 for each in inspect.signature(call).parameters.values() if each.default is inspect.Parameter.empty]
    named = {
        each.name: "" for each in inspect.signature(call).parameters.values() if each.kind is each.KEYWORD_ONLY
    }  # fmt: skip
    with pytest.raises(GatewayProblem):
        await call(*arguments[: len(arguments) - sum(_is_required(call, each) for each in named)], **named)


def _is_required(call: object, name: str) -> bool:
    return inspect.signature(call).parameters[name].default is inspect.Parameter.empty  # type: ignore[arg-type]


async def test_no_consumer_is_opened() -> None:
    with pytest.raises(GatewayProblem):
        async with Unowned().consume("bot"):
            pass
