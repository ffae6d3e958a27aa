"""Stage the pages of one language of the site, and write the configuration of its generator."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from scripts.project import ROOT, repository
from scripts.release import changelog
from scripts.site import reference
from scripts.site.markdown import Page, Target, ids_of, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Language = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")

NAMES = {"en": "English", "zh": "中文"}
"""Name of each language, as its readers write it."""

_MOVED = {
    "README.md": "index.md", "docs/README.md": "index.md", "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md", "SECURITY.md": "security.md", "docs/decisions/README.md": "decisions/index.md",
    "docs/protocol/README.md": "protocol/index.md",
}  # fmt: skip
"""Pages that stand elsewhere in the site than in the repository."""

_HOME = "---\nhide:\n  - navigation\n  - toc\n---\n\n"
"""Beginning of the home page: its width is for what it says, and its menu for narrow windows."""

_UNTRANSLATED = '!!! note "这一页还没有中文版"\n\n'

_REFERENCE = {"en": "", "zh": '!!! note "这一页由代码生成，只有英文"\n\n'}


def stage(built: Path, language: Language) -> Path:
    """
    Write the pages of a language, and return the path of the configuration with which Zensical builds them.

    Args:
        built: Folder for the pages of all languages and for the site.
        language: The language.
    """
    sources = _sources()
    folder = built / language
    for place, source in sources.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            text = _page(place, source, language, sources)
            target.write_text(_HOME + text if place == "index.md" else text, encoding="utf-8")
        else:
            shutil.copyfile(source, target)
    links = _links(sources)
    made = ("changes.md", staged(Page("CHANGELOG.md", "changes.md", changelog.current()), link=links))
    for place, text in (*reference.pages(ROOT), made):
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        title, rest = text.split("\n", 1)
        target.write_text(f"{title}\n\n{_REFERENCE[language]}{rest}", encoding="utf-8")
    shutil.copytree(ROOT / "site" / "partials", built / "overrides" / "partials", dirs_exist_ok=True)
    for name in ("style.css", "tables.js"):
        shutil.copyfile(ROOT / "site" / name, folder / name)
    config = built / f"{language}.toml"
    config.write_text(_config(language), encoding="utf-8")
    return config


def _sources() -> dict[str, Path]:
    """Return the English page or the picture of each place of the site."""
    found = [*(ROOT / "docs").rglob("*"), *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"))]
    named = {path.relative_to(ROOT).as_posix(): path for path in sorted(found)}
    return {
        _MOVED.get(name, name.removeprefix("docs/")): path
        for name, path in named.items()
        if path.suffix in {".md", ".png", ".svg", ".webp"} and not name.endswith(".zh.md") and name != "docs/README.md"
    }


def _page(place: str, source: Path, language: Language, sources: Mapping[str, Path]) -> str:
    english = source.read_text(encoding="utf-8")
    link = _links(sources, language)

    translation = source.with_suffix(".zh.md")
    if language == "en" or not translation.exists():
        text = staged(Page(source.relative_to(ROOT).as_posix(), place, english), link=link)
        if language == "en":
            return text
        title, rest = text.split("\n", 1)
        return f"{title}\n\n{_UNTRANSLATED}{rest}"
    text = translation.read_text(encoding="utf-8")
    page = Page(translation.relative_to(ROOT).as_posix(), place, text)
    return staged(page, link=link, ids=list(_ids(translation, source).values()))


def _links(sources: Mapping[str, Path], language: Language = "en") -> Callable[[str], Target | None]:
    """Return a function that says where a file of the repository stands in the site of a language."""

    def link(target: str) -> Target | None:
        english = target.replace(".zh.md", ".md")
        moved = _MOVED.get(english, english.removeprefix("docs/"))
        if moved in sources:
            is_translated = language != "en" and target != english
            return Target(moved, _ids(ROOT / target, sources[moved]) if is_translated else {})
        address = repository()
        return Target(f"{address}/blob/main/{target}") if address else None

    return link


def _ids(translation: Path, source: Path) -> dict[str, str]:
    """Return the ids of the headings of a page, which its translation has as well, by those of the translation."""
    theirs, ours = (ids_of(each.read_text(encoding="utf-8")) for each in (translation, source))
    if len(theirs) != len(ours):
        raise SystemExit(f"{translation} has {len(theirs)} headings, and {source} has {len(ours)}.")
    return dict(zip(theirs, ours, strict=True))


def _navigation(language: Language) -> list[dict[str, Any]]:
    sections = tomllib.loads((ROOT / "site" / "navigation.toml").read_text(encoding="utf-8"))["section"]

    def entries(section: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = []
        for each in section.get("pages", ()):
            found += _matching(each)
        return found + [{group[language]: entries(group)} for group in section.get("group", ())]

    return [{section[language]: entries(section)} for section in sections]


def _matching(page: str) -> list[str]:
    if "*" not in page:
        return [page]
    return sorted(place for place in _sources() if PurePosixPath(place).match(page))


def _config(language: Language) -> str:
    titles = {"en": "Unofficial WeChat web protocol for Python", "zh": "微信网页版协议的非官方 Python 实现"}
    options = {
        "docstring_style": "google", "docstring_section_style": "list", "members_order": "source",
        "merge_init_into_class": True, "separate_signature": True, "show_signature_annotations": True,
        "signature_crossrefs": True, "show_root_heading": True, "show_source": False, "filters": ["!^_"],
        "allow_inspection": False, "show_root_full_path": False, "heading_level": 2, "show_bases": True,
    }  # fmt: skip
    project = {
        "site_name": "webwx", "site_description": titles[language], "docs_dir": language,
        "site_dir": "html" if language == "en" else f"html/{language}",
        "nav": _navigation(language), "extra_css": ["style.css"],
        "extra_javascript": ["tables.js"],
        "extra": {
            "generator": False,
            "alternate": [
                {"name": NAMES[each], "lang": each, "link": {"en": "../", "zh": "zh/"}[each]}
                for each in LANGUAGES
                if each != language
            ],
        },
        "theme": {
            "language": language, "font": False, "custom_dir": "overrides",
            "features": [
                "content.code.copy", "navigation.footer", "navigation.indexes", "navigation.tabs", "navigation.top",
                "search.highlight", "toc.follow",
            ],
            "palette": [
                {"media": "(prefers-color-scheme: light)", "scheme": "default",
                 "toggle": {"icon": "lucide/sun", "name": {"en": "Dark mode", "zh": "深色"}[language]}},
                {"media": "(prefers-color-scheme: dark)", "scheme": "slate",
                 "toggle": {"icon": "lucide/moon", "name": {"en": "Light mode", "zh": "浅色"}[language]}},
            ],
        },
        "markdown_extensions": {
            "admonition": {}, "attr_list": {}, "tables": {},
            "toc": {"permalink": True, "slugify": {"object": "pymdownx.slugs.slugify", "kwds": {"case": "lower"}}},
            "pymdownx": {
                "highlight": {"pygments_lang_class": True}, "inlinehilite": {}, "superfences": {}, "details": {},
            },
        },
        "plugins": {"mkdocstrings": {"handlers": {"python": {"paths": [str(ROOT / "src")], "options": options}}}},
    }  # fmt: skip
    return _toml({"project": project})


def _toml(values: Mapping[str, Any]) -> str:
    """Return TOML of nested tables; JSON's strings, numbers and arrays are TOML's."""
    return "\n".join(f"{key} = {_value(value)}" for key, value in values["project"].items()).join(("[project]\n", "\n"))


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{json.dumps(key, ensure_ascii=False)} = {_value(each)}" for key, each in value.items())
            + " }"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
