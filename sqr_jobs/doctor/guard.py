"""Looking at what keeps a layout from the network, processes and files on this machine."""

import sys

from sqr_jobs.doctor.findings import Note
from sqr_jobs.documents.sandbox import layers_here
from sqr_jobs.wiring import System

__all__ = ["layout_guard"]

_ADVICE = "Landlock needs Linux 5.13 where it is switched on, the seccomp filter x86_64 or aarch64"


def layout_guard(system: System) -> str:
    """Report which of the guard's layers hold here."""
    if system.settings.render == "inline":
        return Note("none: with SQR_JOBS_RENDER=inline a layout may reach for files and the network")
    layers = layers_here()
    held = ["audit hook"] + ["Landlock"] * bool(layers.landlock) + ["seccomp"] * layers.seccomp
    found = f"layouts are restricted by {', '.join(held)}"
    missing = []
    if not layers.landlock:
        missing.append("Landlock is missing: C code, such as libxml2 or SQLite, can read files")
    if not layers.seccomp:
        missing.append("seccomp is missing: C code, such as libpq, can open sockets and start processes")
    if not missing:
        return found
    return Note("; ".join([found, *missing, _ADVICE if sys.platform == "linux" else "only Linux has both"]))
