"""The guards that the promises stand on, each with its mutant and the tests that must see it."""

from tests.mutants.guards.brokers import BROKERS
from tests.mutants.guards.database import DATABASE
from tests.mutants.guards.documents import DOCUMENTS
from tests.mutants.guards.guard import Guard
from tests.mutants.guards.jobs import JOBS
from tests.mutants.guards.stores import STORES
from tests.mutants.guards.web import WEB

__all__ = ["GUARDS", "Guard"]

GUARDS = (*JOBS, *DATABASE, *BROKERS, *DOCUMENTS, *STORES, *WEB)
