"""One injection of the most telling cells of the fault matrix; `nox -s faults` runs all of them."""

from collections.abc import Iterator

import pytest

from tests.matrix.cells import NAMES
from tests.matrix.lane import Lane
from tests.matrix.lanes import inject_until_telling

_TELLING = (
    "web-killed@A",
    "web-killed@B",
    "web-killed@I",
    "worker-killed@D",
    "worker-killed@E",
    "worker-killed@F",
    "worker-killed@G",
    "worker-killed@H",
    "worker-asleep,-overtaken@G",
    "worker-told-to-end@F",
    "child-hangs-in-C@E",
    "disk-full@E",
    "broker-flushed@C",
    "broker-restarted-empty@D",
    "broker's-reply-lost@D",
    "database-killed@G",
    "COMMIT's-reply-lost@A",
    "COMMIT's-reply-lost@G",
    "store's-reply-lost@F",
    "messages-shuffled,-doubled@H",
    "cancelled@G",
    "right-revoked@I",
    "relay-killed-in-mid-batch@B",
    "reaper-killed-in-mid-batch@E",
    "worker-killed,-versions-mixed@F",
)


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    """Give one deployment with servers of its own to all cells."""
    with Lane(tmp_path_factory.mktemp("lane")) as made:
        yield made


@pytest.mark.parametrize("name", _TELLING)
def test_a_fault_loses_doubles_and_mixes_up_nothing(lane: Lane, name: str) -> None:
    """An accepted job reaches exactly one right end, whatever dies."""
    outcome = inject_until_telling(lane, NAMES[name], lambda _outcome: None)
    assert outcome.verdict.violations == []
    assert outcome.is_telling
