"""The name of a worker process, in the jobs' history, in logs and on the broker."""

import importlib.metadata
import os
import socket

__all__ = ["worker_name"]


def worker_name() -> str:
    """Name this process by host, process id and the library's version: `vm:804 0.1.0`."""
    return f"{socket.gethostname()}:{os.getpid()} {importlib.metadata.version('sqr-jobs')}"
