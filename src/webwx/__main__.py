"""
`webwx`, and `python -m webwx`: the command line, which Ctrl-C ends without a traceback from the first import on.

So this module imports nothing that Python has not loaded at its start.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False

if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the same, without the ten modules that `signal` imports for its enumerations

_INTERRUPTED = 130
"""Exit code after Ctrl-C; `webwx.outcomes`, which has it too, is not imported yet."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # A shell starts background processes with SIGINT ignored, and it stays ignored.
    is_heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heeded:
        signal.signal(signal.SIGINT, _end)
    from webwx.cli import main as run

    try:
        if is_heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    finally:
        if is_heeded:
            signal.signal(signal.SIGINT, _end)


def _end(*_: object) -> None:
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
