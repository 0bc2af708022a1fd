"""Loads a web process's application, and tells what that took: `python -m tests.bench.import_probe APP`."""

import importlib
import json
import sys
import time

_HEAVY = ("reportlab", "pikepdf", "boto3")


def main(app: str) -> None:
    """Import `module:function`, call it, and write JSON."""
    began = time.perf_counter()
    module, _, function = app.partition(":")
    made = getattr(importlib.import_module(module), function)()
    seconds = time.perf_counter() - began
    import psutil

    told = {
        "seconds": seconds,
        "bytes": psutil.Process().memory_info().rss,
        "heavy": [name for name in _HEAVY if name in sys.modules],
        "app": type(made).__name__,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
