"""`python -m webwx` is `webwx`, for whoever knows the interpreter and not where its scripts are."""

from __future__ import annotations

from webwx.cli import main

if __name__ == "__main__":
    main()
