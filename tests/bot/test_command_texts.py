"""The texts of usage and help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from webwx.bot.command_texts import TEXTS

if TYPE_CHECKING:
    from webwx.bot.command_texts import Language


@pytest.mark.parametrize("language", TEXTS)
def test_each_language_has_the_same_texts_with_the_same_fields(language: Language) -> None:
    english, other = (
        {key: sorted(re.findall(r"{(\w+)", text)) for key, text in TEXTS[each].items()} for each in ("en", language)
    )
    assert english == other
