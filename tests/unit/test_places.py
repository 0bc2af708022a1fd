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
