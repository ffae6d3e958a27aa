"""Every public name of `webwx` has a type that a checker need not infer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import webwx


@pytest.mark.verify
def test_the_public_names_have_declared_types() -> None:
    commands = Path(sys.executable).parent
    # The checker finds the package by the `python` that is first on the path.
    environment = os.environ | {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [commands / "pyright", "--ignoreexternal", "--outputjson", "--verifytypes", "webwx"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    report = json.loads(done.stdout)["typeCompleteness"]
    assert Path(webwx.__file__).parent == Path(report["packageRootDirectory"])
    public = [getattr(webwx, name) for name in webwx.__all__]
    homes = tuple(f"{each.__module__}.{each.__name__}." for each in public if hasattr(each, "__name__"))
    reachable = [each for each in report["symbols"] if f"{each['name']}.".startswith(homes)]
    assert len(homes) < len(reachable)
    assert [each["name"] for each in reachable if not each["isTypeKnown"] or each["isTypeAmbiguous"]] == []
