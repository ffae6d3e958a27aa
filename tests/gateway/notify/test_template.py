"""Templates: fields, loops and defaults, in bounded time and room, and no code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from webwx.gateway.notify.template import LONGEST_OUTPUT, LONGEST_TEMPLATE, InvalidTemplate, parse_template

BUILD = {
    "build": {"name": "web", "failed": [{"name": "a", "tags": ["x", "y"]}, {"name": "b", "tags": []}]},
    "n": 3, "yes": True, "none": None, "list": [1, 2],
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ build.name }} {{n}} {{ yes }} {{ list }}", "web 3 true [1,2]"),
        ("{{ build.failed.1.name }}{{ build.failed.2.name }}{{ build.failed.7.name }}", "b"),
        ('{{ missing | default("?") }}{{ none|default("-") }}{{ missing.too }}', "?-"),
        (
            "{% for t in build.failed %}[{{ t.name }}{% for g in t.tags %} {{ g }}{% endfor %}]{% endfor %}",
            "[a x y][b]",
        ),
        ("{% for t in build.name %}x{% endfor %}{% for t in missing %}x{% endfor %}", ""),
        ("{% for n in list %}{{ n }}{{ build.name }}{% endfor %}{{ n }}", "1web2web3"),
        ("{{ build.__class__ }}{{ __builtins__ }}{{ build.name.upper }}", ""),
        ("a { b } %} c", "a { b } %} c"),
    ],
)
def test_a_template_is_filled_in(template: str, text: str) -> None:
    assert text == parse_template(template).render(BUILD)


def test_a_list_or_text_is_called_value() -> None:
    assert parse_template("{% for v in value %}{{ v }};{% endfor %}").render([1, "a"]) == "1;a;"
    assert parse_template("{{ value }}").render("text") == "text"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for a in b %}", "no `endfor`"),
        ("{% endfor %}", "without a loop"),
        ("{% if a %}", "only tags"),
        ("{{ a() | upper }}", "A field is"),
        ("{{ a..b }}", "A path is"),
        ("{% for a in b %}" * 4 + "{% endfor %}" * 4, "At most 3 loops"),
        ("a" * (LONGEST_TEMPLATE + 1), "at most 16384"),
    ],
)
def test_an_invalid_template_is_refused(template: str, reason: str) -> None:
    with pytest.raises(InvalidTemplate, match=reason):
        parse_template(template)


def test_loops_in_loops_end() -> None:
    template = "{% for a in value %}{% for b in value %}{% for c in value %}x{{ c }}" + "{% endfor %}" * 3
    assert len(parse_template(template).render(["y" * 100] * 1000)) <= LONGEST_OUTPUT
    empty = "{% for a in value %}{% for b in value %}{% for c in value %}{{ d }}" + "{% endfor %}" * 3
    assert parse_template(empty).render([0] * 1000) == ""


def test_a_template_writes_20000_parts() -> None:
    template = parse_template("{% for each in value %}x{% endfor %}")
    assert template.render([0] * 15_000) == "x" * 15_000
    assert len(template.render([0] * 50_000)) == pytest.approx(20_000, abs=5)


@given(some.text(alphabet='{}%|."()ab 0forindel\n', max_size=60), some.lists(some.text(max_size=3), max_size=3))
def test_any_template_is_refused_or_filled_in(source: str, value: list[str]) -> None:
    try:
        template = parse_template(source)
    except InvalidTemplate:
        return
    assert isinstance(template.render({"a": value, "b": {"a": 1}}), str)
