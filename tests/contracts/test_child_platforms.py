"""What the render child does where the kernel offers less than Linux does, as on macOS."""

import os
import resource
import subprocess
import sys
import time

import pytest

from sqr_jobs.documents import limits
from sqr_jobs.documents.limits import Limits

_BUSY_CHILD = """
import signal, sys
from sqr_jobs.documents import child
signal.signal(signal.SIGIO, signal.SIG_IGN)  # what it does elsewhere by default
sys.platform = "darwin"
child._die_with_parent(int(sys.argv[1]))
print("arranged", flush=True)
while True:
    pass
"""


def test_where_the_kernel_does_not_end_it_a_child_still_dies_with_its_parent() -> None:
    """I14, but for a layout that never lets go of the interpreter."""
    lifeline_read, lifeline = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", _BUSY_CHILD, str(lifeline_read)],
        stdout=subprocess.PIPE,
        pass_fds=(lifeline_read,),
    ) as process:
        os.close(lifeline_read)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"arranged\n"
            assert process.poll() is None
            began = time.monotonic()
            os.close(lifeline)
            assert process.wait(timeout=10) == 0
            assert time.monotonic() - began < 2
        finally:
            process.kill()


def test_a_limit_that_could_not_be_set_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing tells the address space, a system may refuse any limit of it."""
    touched: list[int] = []
    monkeypatch.setattr(resource, "setrlimit", lambda what, _limits: touched.append(what))
    monkeypatch.setattr(limits.signal, "setitimer", lambda *_: None)
    held = Limits(seconds=1, memory_bytes=1, output_bytes=1, baseline=None)
    held.set()
    held.bound_output()
    assert not held.is_worn()
    held.lift()
    assert touched == [resource.RLIMIT_FSIZE] * 2
