"""Deployments and measured times for the tests of this folder."""

from tests.acceptance.figures import measured, pytest_terminal_summary
from tests.acceptance.fixtures import client_of, distributed, embedded

__all__ = ["client_of", "distributed", "embedded", "measured", "pytest_terminal_summary"]
