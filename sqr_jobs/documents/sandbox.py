"""What the kernel itself keeps from a layout, on a thread that is restricted for good and then ends."""

import contextlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from sqr_jobs.documents import seccomp
from sqr_jobs.documents.landlock import Ruleset, abi_version

__all__ = ["KernelLayers", "Sandbox", "layers_here"]


@dataclass(frozen=True, kw_only=True)
class KernelLayers:
    """Which layers the kernel applied."""

    landlock: int
    """The version of its interface; 0 where it does not hold."""
    seccomp: bool


class Sandbox:
    """Landlock and seccomp, each where the kernel has it."""

    def __init__(self, readable: Iterable[str] = ()) -> None:
        self._abi = abi_version()
        self._ruleset: Ruleset | None = None
        if self._abi:
            with contextlib.suppress(OSError):
                self._ruleset = Ruleset(self._abi, readable)
        self._filter = seccomp.filter_for_this_machine()

    def allow_reading(self, path: str) -> None:
        """Allow it on the threads that are restricted from now on."""
        if self._ruleset is not None:
            self._ruleset.allow_reading(path)

    def restrict_this_thread(self) -> KernelLayers:
        """Restrict the calling thread, and those that it will start; nobody can lift it again."""
        if self._ruleset is None and self._filter is None:
            return KernelLayers(landlock=0, seccomp=False)
        seccomp.forgo_new_privileges()
        has_landlock = self._ruleset is not None and self._ruleset.restrict_this_thread()
        has_seccomp = self._filter is not None and seccomp.restrict_this_thread(self._filter)
        return KernelLayers(landlock=self._abi if has_landlock else 0, seccomp=has_seccomp)


def layers_here() -> KernelLayers:
    """Try on a thread that ends at once which layers hold on this machine."""
    found: list[KernelLayers] = []
    thread = threading.Thread(target=lambda: found.append(Sandbox().restrict_this_thread()))
    thread.start()
    thread.join()
    return found[0]
