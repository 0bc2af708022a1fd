"""Room for a signal handler on the layout's thread, whose own stack may have overflowed."""

import contextlib
import ctypes
import sys

__all__ = ["SignalStack"]

_BYTES = 65_536


class _StackT(ctypes.Structure):
    """`stack_t`, as Linux declares it."""

    _fields_ = (("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


class SignalStack:
    """A signal stack for one thread at a time; it must outlive that thread.

    `faulthandler` gives one to the main thread only. Without it, no stack is written after an overflow.
    """

    def __init__(self) -> None:
        self._room = ctypes.create_string_buffer(_BYTES)

    def use_on_this_thread(self) -> None:
        """Have the calling thread's handlers run there."""
        if sys.platform == "linux":
            stack = _StackT(ctypes.addressof(self._room), 0, _BYTES)
            with contextlib.suppress(AttributeError):
                ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None)
