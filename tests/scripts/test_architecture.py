"""The page about the architecture, compared with the code."""

from __future__ import annotations

import pytest
from scripts.architecture import CALL, FOLDER, MESSAGE, Part, draw_layers, needed, pages, parts, place


def test_the_page_and_its_pictures_equal_the_output_of_make_docs() -> None:
    for name, text in pages().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"run `make docs`: {name} is not of this code"


def test_every_function_of_the_ways_exists() -> None:
    for name, _ in (*MESSAGE, *CALL):
        place(name)
    with pytest.raises(LookupError):
        place("client.client.AsyncClient.send_nothing")


def test_a_size_is_kept_until_a_fifth_has_changed() -> None:
    (present,) = [part.lines for part in parts() if part.name == "flows"]
    for stated, expected in ((present + present // 6, present + present // 6), (2 * present, present)):
        (kept,) = [part.lines for part in parts(stated={"flows": stated}) if part.name == "flows"]
        assert kept == expected


def test_an_import_that_follows_from_others_has_no_arrow() -> None:
    found = [Part("a", 1, "", ("b", "c")), Part("b", 1, "", ("c",)), Part("c", 1, "", ())]
    assert list(needed(found)) == [("a", "b"), ("b", "c")]
    assert draw_layers(found).count('class="arrow"') == 2
