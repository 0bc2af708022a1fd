"""Templates for the tests of what templates become."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from reportlab.platypus import Flowable

from sqr_jobs import ReportRequest, Template

__all__ = ["Nothing", "template_of"]


class Nothing(BaseModel):
    """No data."""


def template_of(content: Callable[[], Iterable[Flowable]], **attributes: Any) -> Template[Nothing]:
    """Make a template that yields this content; `attributes` override the class's own."""

    class Sample(Template[Nothing], name="sample", version="v1"):
        def load(self, request: ReportRequest) -> Nothing:
            return Nothing()

        def flowables(self, data: Nothing) -> Iterator[Flowable]:
            yield from content()

    for name, value in attributes.items():
        setattr(Sample, name, value)
    return Sample()
