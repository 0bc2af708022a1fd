"""The applications that tools drive which know nothing of us but the OpenAPI document."""

from tests.acceptance.fixtures import distributed, embedded
from tests.http.conftest import (
    _everyone_is_as_before,
    configure,
    form,
    form_settings,
    framework,
    migrated_sqlite,
    pytest_collection_modifyitems,
    pytest_configure,
    serve,
    serve_on,
)

__all__ = [
    "_everyone_is_as_before",
    "configure",
    "distributed",
    "embedded",
    "form",
    "form_settings",
    "framework",
    "migrated_sqlite",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "serve",
    "serve_on",
]
