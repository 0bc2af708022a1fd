"""The hand-written service in operation."""

import hashlib
import uuid
from pathlib import Path

from sqlalchemy import insert

from tests.acceptance.program import Program, script
from tests.bench.bare import make_document
from tests.bench.bare_stores import s3_client, to_bucket, to_folder
from tests.bench.byhand.config import VARIABLE, Config
from tests.bench.byhand.service import now_ms
from tests.bench.byhand.tables import job, make_engine, metadata
from tests.bench.deployment import SEEDS_ORG, Deployment
from tests.bench.http_client import Tokens
from tests.bench.servers import Backends

__all__ = ["ByHand"]


class ByHand(Deployment):
    """The hand-written service on SQLite and a folder, or on PostgreSQL, Valkey and a bucket."""

    def __init__(self, folder: Path, tokens: Tokens, backends: Backends | None, *, queue: str) -> None:
        folder.mkdir(parents=True)
        config = Config(
            database_url=f"sqlite:///{folder}/jobs.db",
            public_key=tokens.public_key,
            folder=str(folder / "data"),
        )
        if backends is not None:
            config = config.model_copy(
                update={
                    "database_url": backends.database_url,
                    "redis_url": backends.redis_url,
                    "s3": backends.s3,
                    "bucket": backends.bucket.bucket,
                    "queue": queue,
                }
            )
        self._config = config
        super().__init__(
            folder=folder,
            environment={VARIABLE: config.model_dump_json()},
            engine=make_engine(config.database_url),
            table=job.name,
            tokens=tokens,
        )
        metadata.create_all(self.engine)

    def celery(self, *, processes: int) -> Program:
        """Start a Celery worker without the chatter that one does not need."""
        options = [f"--concurrency={processes}", "--pool=prefork", "--loglevel=WARNING"]
        options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self.start(
            "celery", [script("celery"), "-A", "tests.bench.byhand.celery_app", "worker", *options]
        )

    def complete_here(self, count: int) -> list[str]:
        """Store finished jobs of the org `SEEDS_ORG`, and their documents."""
        made = []
        for _ in range(count):
            _, user_id = self.new_person()
            job_id, now, document = str(uuid.uuid4()), now_ms(), make_document(user_id)
            key = f"{job_id}.pdf"
            if self._config.s3 is None:
                to_folder(Path(self._config.folder), key, document)
            else:
                to_bucket(s3_client(self._config.s3), self._config.bucket, key, document)
            with self.engine.begin() as connection:
                connection.execute(
                    insert(job).values(
                        job_id=job_id,
                        org_id=SEEDS_ORG,
                        user_id=user_id,
                        template_version="v1",
                        state="COMPLETE",
                        attempts=1,
                        created_at=now,
                        updated_at=now,
                        completed_at=now,
                        document_key=key,
                        size=len(document),
                        sha256=hashlib.sha256(document).hexdigest(),
                    )
                )
            made.append(job_id)
        return made
