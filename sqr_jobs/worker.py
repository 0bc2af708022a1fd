"""The broker for Dramatiq's own command line: `dramatiq sqr_jobs.worker:broker`.

It is built when it is asked for, from the factory that `SQR_JOBS_FACTORY` names; Dramatiq's global broker
is never touched. `sqr-jobs worker` runs the same with the right settings.
"""

from typing import TYPE_CHECKING

from sqr_jobs.errors import ConfigurationError
from sqr_jobs.factory import load_factory
from sqr_jobs.settings import Settings
from sqr_jobs.wiring import system_of

if TYPE_CHECKING:
    import dramatiq

    broker: dramatiq.Broker

__all__ = ["broker"]


def __getattr__(name: str) -> object:
    if name != "broker":
        raise AttributeError(name)
    path = Settings().factory
    if path is None:
        raise ConfigurationError(
            "SQR_JOBS_FACTORY is not set. Set it to the function that builds your service: "
            "SQR_JOBS_FACTORY=myapp.reports:report_jobs"
        )
    system = system_of(load_factory(path)())
    system.factory = path
    return system.worker_broker()
