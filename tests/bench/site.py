"""The library in operation, embedded or distributed."""

from pathlib import Path
from typing import Any, Self

from sqlalchemy import bindparam, text

from sqr_jobs import Caller, Settings, build_report_jobs, migrations
from sqr_jobs.wiring import system_of
from tests.acceptance.program import Program, script
from tests.bench.deployment import SEEDS_ORG, Deployment
from tests.bench.host import FACTORY, People, Report
from tests.bench.http_client import Tokens
from tests.bench.servers import Backends

__all__ = ["Site"]


class Site(Deployment):
    """A migrated deployment of the library, in which nothing runs yet.

    `reports` is the service inside this process: it stores jobs and rings, and runs none by itself.
    """

    def __init__(
        self, folder: Path, tokens: Tokens, backends: Backends | None = None, **settings: Any
    ) -> None:
        folder.mkdir(parents=True)
        self._backends = backends
        given: dict[str, Any] = {
            "factory": FACTORY,
            "data_dir": folder / "data",
            "jwt_key": tokens.public_key,
            "shutdown_grace_s": 12,
            **settings,
        }
        keywords = {**given, "embedded_worker": False, "render": "inline"}
        self.reports = build_report_jobs(Settings(**keywords), users=People(), templates=[Report()])
        self._system = system_of(self.reports)
        super().__init__(
            folder=folder,
            environment={
                **{f"SQR_JOBS_{name.upper()}": str(value) for name, value in given.items()},
                "SQR_BENCH_EVENTS": str(folder / "events"),
            },
            engine=self._system.database.engine,
            table="sqr_jobs_job",
            tokens=tokens,
        )
        migrations.upgrade(self.engine)

    @classmethod
    def embedded(cls, folder: Path, tokens: Tokens, **settings: Any) -> Self:
        """Make one on SQLite and a folder, whose worker is inside the web process."""
        return cls(folder, tokens, **settings)

    @classmethod
    def distributed(cls, folder: Path, tokens: Tokens, backends: Backends, **settings: Any) -> Self:
        """Make one on PostgreSQL, Valkey and a bucket, with workers of its own."""
        return cls(
            folder,
            tokens,
            backends,
            database_url=backends.database_url,
            broker_url=backends.redis_url,
            s3_bucket=backends.bucket.bucket,
            s3_endpoint_url=backends.bucket.endpoint_url,
            s3_region=backends.bucket.region,
            s3_access_key_id=backends.bucket.access_key,
            s3_secret_access_key=backends.bucket.secret_key,
            **settings,
        )

    @property
    def backends(self) -> Backends:
        """What the distributed form stands on."""
        assert self._backends is not None
        return self._backends

    def worker(self, *, processes: int = 1, threads: int = 1) -> Program:
        """Start `sqr-jobs worker`."""
        options = [f"--processes={processes}", f"--threads={threads}"]
        return self.start("worker", [script("sqr-jobs"), "worker", *options])

    def store_jobs(self, count: int) -> list[str]:
        """Create jobs without a web process, and ring for them where there is a broker."""
        people = [self.new_person() for _ in range(count)]
        return [self.reports.create(Caller(org_id=org), user_id=user_id).job_id for org, user_id in people]

    def complete_here(self, count: int) -> list[str]:
        """Create jobs of the org `SEEDS_ORG` and run them in this process."""
        caller = Caller(org_id=SEEDS_ORG)
        people = [self.new_person() for _ in range(count)]
        job_ids = [self.reports.create(caller, user_id=user_id).job_id for _, user_id in people]
        service = self._system.service()
        for job_id in job_ids:
            service.processor.process(job_id)
        service.stop()
        self.times(job_ids)  # refuses what is not complete
        return job_ids

    def claimed_after_s(self, job_ids: list[str]) -> list[float]:
        """Tell of each job how long after its creation it was RUNNING, by the database's clock."""
        question = text(
            "SELECT max(CASE WHEN why = 'claim' THEN at END) - max(CASE WHEN why = 'create' THEN at END) "
            "FROM sqr_jobs_audit WHERE job_id IN :ids GROUP BY job_id"
        ).bindparams(bindparam("ids", expanding=True))
        with self.engine.connect() as connection:
            return [
                milliseconds / 1000
                for milliseconds in connection.execute(question, {"ids": job_ids}).scalars()
            ]

    def document_size(self) -> int:
        """Tell how large the document of some job is."""
        with self.engine.connect() as connection:
            return int(connection.execute(text("SELECT max(document_size) FROM sqr_jobs_job")).scalar_one())
