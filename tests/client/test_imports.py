"""What an import of the client loads: nothing that only some programs need."""

from __future__ import annotations

import subprocess
import sys

UNNEEDED = (
    "aiohttp", "email", "html", "json", "mimetypes", "sqlite3", "tempfile", "xml.etree", "webwx.bot",
    "webwx.client.remote", "webwx.storage.base", "webwx.storage.tables.registry",
)  # fmt: skip


def test_an_import_of_the_client_loads_no_tables_and_no_parser_that_a_login_may_not_need() -> None:
    program = f"import sys; from webwx import AsyncClient; print(*sorted(set(sys.modules) & {set(UNNEEDED)!r}))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
