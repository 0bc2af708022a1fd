"""The committed OpenAPI document is the code's."""

from pathlib import Path

import yaml

from sqr_jobs.web.openapi import openapi_document

_COMMITTED = Path(__file__).parents[2] / "docs" / "reference" / "openapi.yaml"


def test_the_committed_document_is_what_the_code_says() -> None:
    """Clients are generated from it. Renew it: python -m tests.unit.test_openapi_document."""
    assert yaml.safe_load(_COMMITTED.read_text(encoding="utf-8")) == openapi_document("/v1/document/api")


class _Readable(yaml.SafeDumper):
    """Writes what stands in several places in each of them: `&id001` tells a reader nothing."""

    def ignore_aliases(self, data: object) -> bool:
        return True


if __name__ == "__main__":
    _COMMITTED.write_text(
        "# The endpoints' OpenAPI document, made from the code: python -m tests.unit.test_openapi_document\n"
        + yaml.dump(openapi_document("/v1/document/api"), Dumper=_Readable, sort_keys=False, width=110),
        encoding="utf-8",
    )
