"""Names that are attacks, from the directory to the bytes in the store, through the real render child."""

import io
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

import sqr_jobs
from sqr_jobs import Caller, migrations
from sqr_jobs.domain.job import Job
from sqr_jobs.domain.states import JobState
from sqr_jobs.service import WorkerService
from sqr_jobs.wiring import System, system_of
from tests.security.active_content import active_content, everything_in
from tests.security.payload_host import report_jobs
from tests.security.payloads import PAYLOADS, user_id_of
from tests.servers.ports import wait_until
from tests.unit.pdf_text import pages_of

_PIXELS = bytes(range(256)) * 3
_CODE = Path(sqr_jobs.__file__).parent
_OWN = tuple(
    f"open ({path}"
    for path in (
        *range(3, 10),
        "'/proc/self/statm'",
        f"'{sys.prefix}/lib",
        f"'{sys.base_prefix}/lib",
        f"'{_CODE}/",
    )
)
"""What making any report opens: what it was given, the kernel's word on its memory, and modules."""
_CODES_OF_SIZE = {"RENDER_TIMEOUT", "OUT_OF_MEMORY", "OUTPUT_TOO_LARGE"}


@dataclass(kw_only=True)
class _Trap:
    """A server that nobody should visit, a picture that nobody should see, and who tried."""

    secret: Path
    witness: Path
    address: tuple[str, int]
    visits: list[object] = field(default_factory=list)
    seen: int = 0

    def attempts(self) -> list[str]:
        """Read what the child has reached for since this was last asked."""
        lines = self.witness.read_text().splitlines() if self.witness.exists() else []
        fresh, self.seen = lines[self.seen :], len(lines)
        return fresh


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Trap]:
    """Set it up, and tell the host's process and its children where it is."""
    folder = tmp_path_factory.mktemp("trap")
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as variables:
        address = server.getsockname()
        made = _Trap(secret=folder / "secret.png", witness=folder / "witness", address=address)
        Image.frombytes("RGB", (16, 16), _PIXELS).save(made.secret)
        variables.setenv("SQR_TEST_LURE", f"http://127.0.0.1:{address[1]}")
        variables.setenv("SQR_TEST_SECRET", str(made.secret))
        variables.setenv("SQR_TEST_WITNESS", str(made.witness))

        def listen() -> None:
            while True:
                try:
                    visitor, address = server.accept()
                except OSError:
                    return
                made.visits.append(address)
                visitor.close()

        threading.Thread(target=listen, daemon=True).start()
        yield made
        server.shutdown(socket.SHUT_RDWR)


class _Office:
    """The service and its worker, with one render child for job after job."""

    def __init__(self, system: System, service: WorkerService) -> None:
        self.system = system
        self._service = service

    def report_on(self, name: str, *, org: str) -> Job:
        """Have a report made on whoever is called so, to its end."""
        caller = Caller(org_id=f"{org} {name}")
        job = self.system.reports.create(caller, user_id=user_id_of(name))
        while job.is_active:
            assert self._service.processor.process(job.job_id)
            self.system.database.clock_offset_ms += 5_000  # past the pause before another try
            job = self.system.reports.status(caller, job.job_id)
        return job

    def document_of(self, job: Job) -> bytes:
        """Read the stored bytes."""
        assert job.document is not None
        return (self.system.settings.data_dir / "documents" / job.document.key).read_bytes()


def _office(folder: Path, **settings: object) -> Iterator[_Office]:
    system = system_of(report_jobs(data_dir=folder, embedded_worker=False, **settings))
    migrations.upgrade(system.database.engine)
    service = system.service()
    yield _Office(system, service)
    service.stop()
    system.database.close()


@pytest.fixture(scope="module")
def office(trap: _Trap, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Office]:
    """Give a service with an attempt's usual limits."""
    yield from _office(tmp_path_factory.mktemp("office"))


@pytest.fixture(scope="module")
def hasty_office(trap: _Trap, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Office]:
    """Give a service that waits for no attempt longer than a moment."""
    yield from _office(tmp_path_factory.mktemp("hasty"), attempt_limit_s=2, max_failures=1)


def _assert_it_did_nothing(trap: _Trap, document: bytes | None) -> None:
    """Nothing was reached for, and where there is a document, nothing in it acts or was hidden there."""
    assert [line for line in trap.attempts() if not line.startswith(_OWN)] == []
    assert trap.visits == []
    if document is not None:
        assert active_content(document) == set()
        assert _PIXELS not in everything_in(document)


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_name_is_shown_and_does_nothing(office: _Office, trap: _Trap, name: str) -> None:
    """The report is made, nothing in it acts, nothing was reached for, and its title can be read."""
    job = office.report_on(name, org="careful")
    assert (job.state, job.error_code) == (JobState.COMPLETE, None)
    document = office.document_of(job)
    _assert_it_did_nothing(trap, document)
    shown = "".join(pages_of(document))
    assert shown.index("before") < shown.rindex("after")
    with pikepdf.open(io.BytesIO(document)) as pdf, pdf.open_metadata() as xmp:
        title = str(pdf.docinfo.get("/Title", ""))
        assert title == (xmp.get("dc:title") or "")
    assert title.isprintable()


def test_a_megabyte_of_name_is_a_report(office: _Office, trap: _Trap) -> None:
    """A field that somebody filled is laid out within an attempt's usual limits."""
    job = office.report_on("words", org="careful")
    assert (job.state, job.error_code, job.attempt) == (JobState.COMPLETE, None, 1)
    document = office.document_of(job)
    _assert_it_did_nothing(trap, document)
    with pikepdf.open(io.BytesIO(document)) as pdf:
        assert len(pdf.pages) > 100
        assert len(str(pdf.docinfo["/Title"])) < 3_000


@pytest.mark.parametrize("name", ["surrogates", "line breaks"])
def test_a_megabyte_of_name_is_a_report_or_a_clear_code(
    hasty_office: _Office, trap: _Trap, name: str
) -> None:
    """Whoever fills a field with it costs an attempt its time, and the service nothing."""
    job = hasty_office.report_on(name, org="careful")
    is_made = job.state is JobState.COMPLETE
    assert is_made or job.error_code in _CODES_OF_SIZE
    _assert_it_did_nothing(trap, hasty_office.document_of(job) if is_made else None)


def test_a_megabyte_of_nothing_is_a_report(office: _Office, trap: _Trap) -> None:
    """What can't be shown takes no room, neither on a page nor in a file's name."""
    job = office.report_on("NULs", org="careful")
    assert job.state is JobState.COMPLETE
    document = office.document_of(job)
    _assert_it_did_nothing(trap, document)
    assert len(document) < 100_000
    download = office.system.reports.download_url(Caller(org_id="careful NULs"), job.job_id)
    assert len(download.filename.encode()) <= 150


@pytest.mark.parametrize("name", [name for name in PAYLOADS if "{secret}" in PAYLOADS[name]])
def test_a_careless_template_still_shows_no_file(office: _Office, trap: _Trap, name: str) -> None:
    """The second line: markup from a person reaches ReportLab, which reaches for the file, and gets none."""
    job = office.report_on(name, org="careless")
    attempts = trap.attempts()
    if job.state is JobState.COMPLETE:
        assert _PIXELS not in everything_in(office.document_of(job))
    else:
        assert job.error_code == "RENDER_FAILED"
    if name == "img of a file":
        assert any(str(trap.secret) in line for line in attempts), "nobody tried, so nothing was shown"


@pytest.mark.parametrize("name", [name for name in PAYLOADS if "{lure}" in PAYLOADS[name]])
def test_a_careless_template_still_visits_nobody(office: _Office, trap: _Trap, name: str) -> None:
    """Likewise for addresses: whoever could choose one would have our network at hand."""
    job = office.report_on(name, org="careless")
    attempts = trap.attempts()
    assert job.state is JobState.COMPLETE or job.error_code == "RENDER_FAILED"
    assert trap.visits == []
    assert not any(line.startswith("socket.connect") for line in attempts)
    if name == "img of an address":
        assert "socket.getaddrinfo ('127.0.0.1',)" in attempts, "nobody tried, so nobody was kept from it"


def test_the_trap_is_one(trap: _Trap) -> None:
    """The controls: the server notes a visit, and the scan finds what can act, and what was hidden."""
    with socket.create_connection(trap.address, timeout=5):
        wait_until(lambda: trap.visits, seconds=10, what="the visit")
    trap.visits.clear()
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page()
        script = pikepdf.Dictionary(S=pikepdf.Name("/JavaScript"), JS="app.alert(1)")
        page.obj["/Annots"] = pikepdf.Array([pikepdf.Dictionary(A=pikepdf.Dictionary(URI="http://x"))])
        pdf.Root["/OpenAction"] = pdf.make_indirect(script)
        pdf.Root["/Hidden"] = pdf.make_stream(_PIXELS)
        output = io.BytesIO()
        pdf.save(output, compress_streams=True)
    assert active_content(output.getvalue()) == {"/JavaScript", "/JS", "/OpenAction", "/URI"}
    assert _PIXELS in everything_in(output.getvalue())
