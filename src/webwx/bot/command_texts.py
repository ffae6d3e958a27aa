"""The texts of usage and help, in English and Chinese."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh"]

TEXTS: dict[Language, dict[str, str]] = {
    "en": {
        "missing": "{name} is missing.",
        "unfit": "{name}: {word!r} is not {expected}.",
        "surplus": "{word!r} is one word too many.",
        "str": "a text",
        "int": "a whole number",
        "float": "a number",
        "bool": "yes or no",
        "date": "a date such as 2026-05-01",
        "time": "a time such as 08:30",
        "timedelta": "a duration such as 1h30m",
        "one of": "one of {values}",
        "limited": "{expected} within the limits",
        "or": " or ",
        "comma": ", ",
        "help": "List the commands, or describe one.",
    },
    "zh": {
        "missing": "缺少 {name}。",
        "unfit": "{name}：“{word}”不是{expected}。",
        "surplus": "多了一个词：“{word}”。",
        "str": "文字",
        "int": "整数",
        "float": "数字",
        "bool": "“是”或“否”",
        "date": "日期，例如 2026-05-01",
        "time": "时间，例如 08:30",
        "timedelta": "时长，例如 1小时30分",
        "one of": "{values} 之一",
        "limited": "符合限制的{expected}",
        "or": "，也不是",
        "comma": "、",
        "help": "列出命令，或说明其中一个。",
    },
}
"""The texts by their keys, for each language."""
