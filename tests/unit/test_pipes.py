"""Messages between a worker and its render child."""

import json
import os
import struct
from collections.abc import Iterator

import pytest

from sqr_jobs.documents.pipes import MAX_MESSAGE, MessageReader, pack, read_message


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """Give a pipe, closed afterwards."""
    made = os.pipe()
    yield made
    for fd in made:
        os.close(fd)


def test_a_message_that_is_too_long_is_not_read() -> None:
    """A length of four bytes may ask for four gigabytes."""
    read, write = os.pipe()
    os.write(write, struct.pack(">I", MAX_MESSAGE + 1))
    os.close(write)
    with pytest.raises(ValueError, match="bytes"):
        read_message(read)
    os.close(read)


@pytest.mark.parametrize("body", [b"[1]", b"not JSON", b"\xff\xfe"])
def test_what_is_no_message_is_refused(ends: tuple[int, int], body: bytes) -> None:
    """Whatever wrote it, it was not the child."""
    os.write(ends[1], struct.pack(">I", len(body)) + body)
    with pytest.raises(ValueError, match=r"."):
        read_message(ends[0])


def test_a_message_that_stops_in_the_middle_holds_up_nobody(ends: tuple[int, int]) -> None:
    """The worker polls, and looks at its lease in between."""
    reader, data = MessageReader(ends[0]), pack({"a": "b" * 10}) + pack({"c": 1})
    for byte in data[:20]:
        os.write(ends[1], bytes([byte]))
        assert reader.read_part() is None
    os.write(ends[1], data[20:])
    found = []
    while len(found) < 2:
        if (message := reader.read_part()) is not None:
            found.append(message)
    assert json.dumps(found) == json.dumps([{"a": "b" * 10}, {"c": 1}])
