"""Writes the tables of requests at the end of docs/topics/gateway.md from the declarations of the routes."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from webwx.representations.route import API, ApiRoute

PAGE = Path(__file__).parent / "topics" / "gateway.md"

SECTIONS = {
    "accounts": "Accounts",
    "logins": "Logins",
    "messages": "Messages",
    "events": "Events",
    "consumers": "Consumers",
    "sends": "Sends and uploads",
    "contacts": "Contacts and chatrooms",
    "identities": "Identities",
    "links": "Links",
    "webhooks": "Webhooks",
    "receivers": "Receivers",
    "programs": "Programs of adapters",
    "fallback": "Fallback",
    "incoming_files": "Incoming files",
    "bots": "Bots",
    "health": "Monitoring",
    "cluster": "Several machines",
    "administration": "Keys, audit log and console",
}
"""Heading of each module of `webwx.representations` that declares routes, in the order of the page."""


def page() -> str:
    """Return the page with the tables as they should be: they follow the first heading below "All requests"."""
    begin, heading, rest = PAGE.read_text(encoding="utf-8").partition("## All requests\n")
    introduction = rest.partition("### ")[0]
    return begin + heading + introduction + "\n".join(section(module) for module in SECTIONS)


def section(module: str) -> str:
    """Return the heading and the table of a module, whose routes are in the order of their declarations."""
    declared = vars(import_module(f"webwx.representations.{module}")).values()
    rows = "".join(row(route) for route in declared if isinstance(route, ApiRoute))
    return f"### {SECTIONS[module]}\n\n| Request | Scope | Does |\n|---|---|---|\n{rows}"


def row(route: ApiRoute) -> str:
    """Return the line of a route."""
    path = re.sub(r":[a-z]+\}", "}", route.path)
    scope = f"`{route.scope}`" if route.scope else "no key"
    return f"| `{route.method} {API}{path}` | {scope} | {route.summary[0].lower()}{route.summary[1:]} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
