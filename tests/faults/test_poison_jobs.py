"""Reports that go wrong in every way there is, beside people who only want theirs."""

from tests.acceptance.crowd import names_in
from tests.acceptance.deployment import Deployment
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.faults.poison import FACTORY
from tests.host.people import person
from tests.servers.ports import wait_until

_POISON = {
    "U-HANG": ("RENDER_TIMEOUT", 2),
    "U-SEGV": ("RENDER_CRASHED", 3),
    "U-KILL": ("RENDER_CRASHED", 3),
    "U-MEMORY": ("OUT_OF_MEMORY", 2),
    "U-LARGE": ("OUTPUT_TOO_LARGE", 1),
    "U-ODD": ("RENDER_FAILED", 1),
    "U-RAISE": ("RENDER_FAILED", 1),
    "U-EXIT": ("RENDER_FAILED", 1),
    "U-FILE": ("RENDER_FAILED", 1),
    "U-BADDATA": ("REPORT_DATA_INVALID", 1),
    "U-NODATA": ("REPORT_DATA_UNAVAILABLE", 5),
}
"""What becomes of whom, and after how many attempts (contract, "Job error codes")."""


def test_poison_jobs_end_as_the_contract_says_and_harm_nobody_else(
    distributed: Deployment, client_of: ClientOf
) -> None:
    """Each ends with the code that tells its client what to do, and costs no one else the report (I9)."""
    # Given two workers, poison, and ordinary people in between
    distributed.configure(factory=FACTORY, attempt_limit_s=12, memory_limit_mb=128, output_limit_mb=1)
    workers = [distributed.worker(), distributed.dramatiq()]
    client = client_of(distributed.fastapi())
    people = iter([f"U{number}" for number in range(len(_POISON))] + ["U-PRINT"])
    jobs = {user: client.accepted(user) for poison in _POISON for user in (poison, next(people))}
    jobs["U-PRINT"] = client.accepted("U-PRINT")
    # When all have come to their end
    ends = {user: client.end(job_id, seconds=120) for user, job_id in jobs.items()}
    # Then each has ended as it must
    told = {user: (ends[user].get("errorCode"), ends[user]["attempts"]) for user in _POISON}
    assert told == _POISON
    for user in jobs.keys() - _POISON.keys():
        assert ends[user]["status"] == "COMPLETE", ends[user]
        document = client.download(jobs[user]).content
        assert names_in(document) == {f"Jo {person(user).family_name}"}
    for user, job_id in jobs.items():
        assert_lawful(distributed.history(job_id))
        if user in _POISON:
            attempts = _POISON[user][1]
            between = ["claim", "retry"] * (attempts - 1)
            assert ways(distributed.history(job_id)) == ["create", *between, "claim", "fail"]
    # And both workers live on, with no more render children than threads
    for worker in workers:
        assert worker.is_alive()
    wait_until(lambda: len(distributed.render_children()) <= 4, seconds=5, what="the end of spent children")
    for number in range(8):
        client.complete(client.accepted(f"U-AFTER-{number}"))


def test_poison_in_the_embedded_form_leaves_the_web_process_alone(
    embedded: Deployment, client_of: ClientOf
) -> None:
    """Where worker and web server are one process, a report must not take the site down."""
    embedded.configure(factory=FACTORY, memory_limit_mb=128)
    web = embedded.fastapi()
    client = client_of(web)
    poison = ["U-SEGV", "U-MEMORY", "U-EXIT"]
    jobs = {user: client.accepted(user) for user in [*poison, "U1"]}
    client.complete(jobs["U1"])
    for user in poison:
        assert client.end(jobs[user])["errorCode"] == _POISON[user][0]
        assert_lawful(embedded.history(jobs[user]))
    client.complete(client.accepted("U2"))
    assert web.program.is_alive()
