"""The applications that are attacked: the sample host through each framework, in either form."""

from tests.http.conftest import (
    _everyone_is_as_before,
    configure,
    distributed_servers,
    form,
    form_settings,
    framework,
    migrated_sqlite,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_generate_tests,
    serve,
    serve_on,
)

__all__ = [
    "_everyone_is_as_before",
    "configure",
    "distributed_servers",
    "form",
    "form_settings",
    "framework",
    "migrated_sqlite",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_generate_tests",
    "serve",
    "serve_on",
]
