"""
The language of help and messages: English, or Chinese where LC_ALL, LC_MESSAGES or LANG ask for it.

A message in the code is English: `_("Sent to {to}.").format(to=name)`. For Chinese, GNU gettext's catalogue in `locale`
has a translation of each; `make messages` updates it. For English no catalogue is read. The messages of click, which
uses gettext too, are in the same catalogue. Texts for programs, such as `--json`, and exceptions are always English.
"""

from __future__ import annotations

import gettext
import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN = "webwx"
"""Name of the catalogue."""

FOLDER = os.path.join(os.path.dirname(__file__), "locale")  # noqa: PTH118, PTH120 - pathlib takes longer to import
"""Folder of the catalogues."""

CHINESE = "zh"

_translations = gettext.NullTranslations()


def language_of(environment: Mapping[str, str]) -> Literal["zh", ""]:
    """
    Return the language that an environment asks for, by the rules of GNU gettext: `zh`, or empty for English.

    A terminal of another charset than UTF-8 gets English, because all output is UTF-8.
    """
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environment.get(name))), "")
    name, _dot, charset = locale.partition("@")[0].partition(".")
    if name in {"", "C", "POSIX"} or charset.lower() not in {"", "utf-8", "utf8"}:
        return ""
    for wanted in (environment.get("LANGUAGE") or locale).split(":"):
        if wanted.lower().startswith((CHINESE, "en")):
            return "zh" if wanted.lower().startswith(CHINESE) else ""
    return ""


def use_language(chosen: Literal["zh", ""]) -> None:
    """Use Chinese, or English, for all messages from now on."""
    global _translations
    if chosen:
        _translations = gettext.translation(DOMAIN, FOLDER, [chosen], fallback=True)
        gettext.bindtextdomain(DOMAIN, FOLDER)
        gettext.textdomain(DOMAIN)
    else:
        _translations = gettext.NullTranslations()
        gettext.textdomain("messages")


def language() -> Literal["en", "zh"]:
    """Return the language in use."""
    return "en" if type(_translations) is gettext.NullTranslations else "zh"


def _(message: str) -> str:
    """Return the translation of a message."""
    return _translations.gettext(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Return the translation of a message about a number of things."""
    return _translations.ngettext(one, many, count)


def N_(message: str) -> str:  # noqa: N802 - the name that tools for gettext know
    """Mark a constant as a message that is translated where it is printed."""
    return message
