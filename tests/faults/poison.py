"""The sample host with a report whose document is too large, however small its limit on time."""

import random
from collections.abc import Iterator

from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable

from sqr_jobs import ReportJobs, Settings, build_report_jobs
from tests.host.reports import Report, ReportData, people

__all__ = ["FACTORY", "report_jobs"]

FACTORY = "tests.faults.poison:report_jobs"
_SIDE = 800


class PoisonReport(Report, name="report", version="v1", language="en"):
    """The sample host's report, but a `U-LARGE` has a picture of two megabytes that nothing compresses."""

    def flowables(self, data: ReportData) -> Iterator[Flowable]:
        if data.user_id == "U-LARGE":
            yield _Noise()
        else:
            yield from super().flowables(data)


class _Noise(Flowable):
    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        return 100, 100

    def draw(self) -> None:
        noise = random.Random(0).randbytes(3 * _SIDE * _SIDE)
        image = Image.frombytes("RGB", (_SIDE, _SIDE), noise)
        self.canv.drawImage(ImageReader(image), 0, 0, 100, 100)


def report_jobs() -> ReportJobs:
    """Build the service from `SQR_JOBS_*`."""
    return build_report_jobs(Settings(), users=people, templates=[PoisonReport()])
