"""Python imports this when it starts, where this folder is on PYTHONPATH: child processes keep the same file rules."""

import os
from pathlib import Path

if root := os.environ.get("PRETENDED_WINDOWS"):
    import file_rules

    file_rules.install(Path(root))
