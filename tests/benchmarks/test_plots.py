"""The plots: every axis has its points, and the drawing is valid XML."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from benchmarks.cases import CASES
from benchmarks.plots import AXES, draw, points


def test_an_axis_is_drawn_from_its_cases_in_order() -> None:
    results = {"cases": {name: {"rounds": [{"ours": {"mb": case.at}}]} for name, case in CASES.items()}}

    for axis in AXES:
        found = points(results, axis, "mb")
        assert len(found) >= 4
        assert found == sorted(found)


def test_every_point_is_drawn_with_its_value() -> None:
    tree = ET.fromstring(draw([("a < b", [(0, 1.0), (50_000, 0.0)]), ("c", [(0, 0.0)])], "friends & more"))

    titles = [each.text for each in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["0: 1", "50k: 0", "0: 0"]
