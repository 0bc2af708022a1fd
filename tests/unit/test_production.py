"""What an exception of a layout means for the job."""

import errno
import io
from typing import Any

import pytest

from sqr_jobs.documents.production import failure_code, make_document
from sqr_jobs.documents.template import Catalog
from sqr_jobs.errors import AttemptFailed
from tests.contracts.producers import order
from tests.host.reports import Report


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.EFBIG, "too large"), "OUTPUT_TOO_LARGE"),
        (OSError(errno.ENOSPC, "disk full"), "STORAGE_UNAVAILABLE"),
        (OSError(errno.EDQUOT, "quota used up"), "STORAGE_UNAVAILABLE"),
        (OSError("no number"), "RENDER_FAILED"),
        (FileNotFoundError(errno.ENOENT, "a logo"), "RENDER_FAILED"),
        (ValueError("a mistake"), "RENDER_FAILED"),
    ],
)
def test_a_full_disk_is_tried_again_and_a_mistake_is_not(error: Exception, code: str) -> None:
    """Wherever the write fails, at a page or at the last of the buffer."""
    assert failure_code(error) == code


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (TypeError(), True),
        (AttributeError(), True),
        (NameError(), True),
        (UnboundLocalError(), True),
        (ModuleNotFoundError(), True),
        (ConnectionError(), False),
        (TimeoutError(), False),
        (ValueError(), False),
        (KeyError(), False),
    ],
    ids=repr,
)
def test_of_a_load_mistakes_in_code_are_final_and_all_else_is_not(
    monkeypatch: pytest.MonkeyPatch, error: Exception, is_final: bool
) -> None:
    """The next try runs the same code, on data that may have come by then."""

    def load(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(Report, "load", load)
    with pytest.raises(AttemptFailed) as caught:
        make_document(Catalog([Report()]), order(), io.BytesIO(), max_bytes=1)
    assert (caught.value.code, caught.value.is_final) == ("REPORT_DATA_UNAVAILABLE", is_final)
