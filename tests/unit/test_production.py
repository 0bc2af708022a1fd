"""What an exception of a layout means for the job."""

import errno

import pytest

from sqr_jobs.documents.production import failure_code


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
