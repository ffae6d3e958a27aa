"""`webwx sandbox --scenario`: the scripted friends of a Python file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.cli.bots.programs import run_file
from webwx.cli.exits import BadInput
from webwx.cli.language import _
from webwx.sandbox.errors import Impossible
from webwx.sandbox.scenario import Scenario, describe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from webwx.sandbox.world import World


def play_file(path: Path, world: World, on_mistake: Callable[[str], object]) -> None:
    """
    Add the scripted friends of a file to a world.

    Raises:
        BadInput: The file cannot be run, has no Scenario, or names a person that the world does not have.
    """
    path = path.resolve()
    try:
        module = run_file(path)
    except Exception as error:  # noqa: BLE001 - a user's program may raise anything
        raise BadInput(describe(error, str(path))) from None
    scenarios = [value for value in vars(module).values() if isinstance(value, Scenario)]
    if not scenarios:
        raise BadInput(
            _("{name} creates no Scenario; add a line such as 'friends = Scenario()'.").format(name=path.name)
        )
    try:
        for scenario in scenarios:
            scenario.play(world, on_mistake=on_mistake)
    except Impossible as no:
        raise BadInput(str(no)) from None
