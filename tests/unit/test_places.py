"""Where an attempt was when it failed."""

import sysconfig

import pytest

from sqr_jobs.documents import places
from sqr_jobs.documents.places import Frame, dumped_frames, own_code, place_of

_LIBRARY, _PACKAGES = sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")
_OURS = Frame(places.__file__.replace("places", "production"), 80, "make_document")
_HOST = Frame(f"{_PACKAGES}/myapp/reports.py", 41, "flowables")
_INSIDE = Frame(f"{_LIBRARY}/re/__init__.py", 166, "match")


def test_a_dump_is_read_up_to_its_first_stack_and_from_the_outside_in() -> None:
    """A crash while a stack is written adds a second one."""
    stack = "Stack (most recent call first):\n"
    dump = (
        f'Fatal Python error: Segmentation fault\n\n{stack}  File "/a b.py", line 2 in inner\n'
        f'  File "/b.py", line 7 in outer\n\nExtension modules: x\n{stack}  File "/c.py", line 1 in c\n'
    )
    assert dumped_frames(dump) == [Frame("/b.py", 7, "outer"), Frame("/a b.py", 2, "inner")]
    assert dumped_frames("Fatal Python error: Aborted\n") == []


_LAYOUT = (
    f'  File "/host.py", line 5 in flowables\n  File "{places.__file__.replace("places", "guard")}", '
    "line 9 in restricted\n"
)


@pytest.mark.parametrize(
    ("layout", "innermost"),
    [
        (_LAYOUT, Frame("/host.py", 5, "flowables")),
        ('  File "/host.py", line 6 in deep\n  ...\n', Frame("/host.py", 6, "deep")),
        ("  <no Python frame>\n", Frame("/main.py", 2, "load")),
    ],
)
def test_a_dump_of_all_threads_is_read_for_the_layouts_or_the_main_one(layout: str, innermost: Frame) -> None:
    """The kernel gives a timeout's signal to any thread, which may be a telemetry worker's."""
    dump = (
        f'Current thread 0x1 (most recent call first):\n  File "/other.py", line 1 in work\n\n'
        f"Thread 0x2 (most recent call first):\n{layout}\n"
        f'Thread 0x3 (most recent call first):\n  File "/main.py", line 2 in load\n'
    )
    assert dumped_frames(dump)[-1] == innermost


@pytest.mark.parametrize(
    ("frames", "own", "place"),
    [
        ([_OURS, _HOST, _INSIDE], [f"{_PACKAGES}/myapp"], "myapp/reports.py:41 in flowables"),
        ([_OURS, _INSIDE], [f"{_PACKAGES}/myapp"], str(_INSIDE)),
        ([Frame("/srv/tenants.py", 3, "find"), _OURS, _INSIDE], [], "/srv/tenants.py:3 in find"),
        ([], [], ""),
    ],
)
def test_the_place_is_the_innermost_line_of_the_hosts_own_code(
    frames: list[Frame], own: list[str], place: str
) -> None:
    """An application may be installed beside the packages that it uses."""
    assert place_of(frames, own) == place


def test_a_hosts_own_code_is_the_package_or_the_file_of_its_templates() -> None:
    """Another module of the same package is the host's code too."""
    assert own_code(["tests.unit.test_places"])[0].endswith("/tests")
    assert own_code(["conftest_of_nobody"]) == ["conftest_of_nobody"]
