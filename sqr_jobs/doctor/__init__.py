"""`sqr-jobs check`: what must hold before a service can be trusted, one line each."""

from sqr_jobs.doctor.examination import examine
from sqr_jobs.doctor.findings import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]
