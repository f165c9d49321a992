"""`tinygpt-tui` and `python -m tinygpt_tui`."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line; return the exit code. Ctrl-C ends it quietly, also while modules are imported."""
    try:
        return _run()
    except KeyboardInterrupt:
        from tinygpt_tui.errors import ExitCode

        return int(ExitCode.INTERRUPTED)


def _run() -> int:
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what can follow
        from tinygpt_tui.cli.completion import complete

        complete()
    if len(sys.argv) == 1:
        # The app should be there at once: the parser of all the other commands would cost a tenth of a second.
        from tinygpt_tui.cli.app import open_app

        return open_app()
    from tinygpt_tui.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
