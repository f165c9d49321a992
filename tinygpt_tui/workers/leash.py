"""Ends a process with its parent, however that ended: the parent holds the other end of the process's stdin.

`python -m tinygpt_tui.workers.leash MODULE ARGUMENTS` runs a module so. A pipe is closed by the system when the process
that holds it is gone, also one that was killed: nothing has to be asked again and again, and no number of a process can
be taken for another's.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading

GONE = 1  # the exit code of a process whose parent is gone


def _leave_at_end() -> None:
    """Read stdin; at its end leave this process."""
    # By descriptor: a thread that waits in sys.stdin would abort the interpreter on its way out.
    try:
        while os.read(0, 1 << 16):
            pass
    except OSError:
        pass  # a broken pipe is an end as well
    leave_soon(0.0)


def leave_soon(grace_s: float) -> None:
    """End this process, whatever its other threads do."""
    threading.Event().wait(grace_s)
    os._exit(GONE)


def main() -> None:
    """Run the module named on the command line."""
    threading.Thread(target=_leave_at_end, daemon=True, name="the parent's end").start()
    module = sys.argv[1]
    del sys.argv[1]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
