"""What the local store alone promises: whole files or none, and links that only it can make."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from sqr_jobs.adapters import local_documents
from sqr_jobs.adapters.local_documents import LocalDocumentStore
from sqr_jobs.errors import DocumentsUnavailable, LinkRefused
from tests.contracts.document_stores import KEY, ORIGIN, altered, produced

NOW = 1_800_000_000.25
CALLS: dict[str, Callable[[LocalDocumentStore], object]] = {
    "put": lambda store: store.put(KEY, produced(), until=lambda: 10.0),
    "holds": lambda store: store.holds(KEY, size=1),
    "delete": lambda store: store.delete(KEY),
}


def _store(
    folder: Path, *, key: bytes = b"k" * 32, now: Callable[[], float] = lambda: NOW
) -> LocalDocumentStore:
    return LocalDocumentStore(folder, link_key=lambda: key, files_path="/v1/files", now=now)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def test_a_document_whose_sha256_does_not_match_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    """I5: what is served is what was made."""
    with pytest.raises(DocumentsUnavailable):
        _store(tmp_path).put(KEY, produced(sha256="0" * 64), until=lambda: 10.0)
    assert _files(tmp_path) == []


def test_a_copy_stops_in_the_middle_when_the_attempts_time_is_over(tmp_path: Path) -> None:
    """I4: a folder on a slow network must not hold the worker's thread until all bytes are over."""
    large, left = produced(b"x" * 10_000_000), iter([1.0, 1.0])
    with pytest.raises(DocumentsUnavailable, match="time ran out"):
        _store(tmp_path).put(KEY, large, until=lambda: next(left, 0.0))
    assert large.file.tell() < large.size / 2
    assert _files(tmp_path) == []


def test_a_copy_that_took_all_the_time_gets_no_name(tmp_path: Path) -> None:
    """I4: the disk may be slow to keep what was written, and the attempt is over by then."""
    left = iter([1.0])
    with pytest.raises(DocumentsUnavailable, match="time ran out"):
        _store(tmp_path).put(KEY, produced(), until=lambda: next(left, 0.0))
    assert _files(tmp_path) == []


def test_bytes_are_synced_before_they_are_named_and_names_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I5: a row that says COMPLETE must not outlive its document in a power cut."""
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().relative_to(tmp_path)}")
        fsync(handle)

    def named(path: Path, target: Path) -> Path:
        done.append(f"name {target.relative_to(tmp_path)}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", named)
    _store(tmp_path / "documents").put(KEY, produced(), until=lambda: 10.0)
    job, name = KEY.split("/")
    folder = f"documents/{job}"
    assert done == [f"sync {folder}/.{name}", f"name {folder}/{name}", f"sync {folder}", "sync documents"]


@pytest.mark.parametrize(
    "key",
    [
        KEY.replace("0c7b", "0C7B"),
        KEY + "\n",
        KEY + "/../../x.pdf",
        "a/" + KEY,
        "../" + KEY.partition("/")[2],
        "./1-0.pdf",
        "job/1-0.pdf.exe",
        "job/x-0.pdf",
        "job/1-../../x.pdf",
        "j" * 65 + "/1-0.pdf",
        "/1-0.pdf",
    ],
)
@pytest.mark.parametrize("call", ["put", "holds", "delete", "url"])
def test_a_key_has_one_shape(tmp_path: Path, call: str, key: str) -> None:
    """Refused before the file system sees it; the link's signature alone would leave a bug's key open."""
    calls: dict[str, Callable[[LocalDocumentStore], object]] = {
        "put": lambda store: store.put(key, produced(), until=lambda: 10.0),
        "holds": lambda store: store.holds(key, size=1),
        "delete": lambda store: store.delete(key),
        "url": lambda store: store.url(key, filename="a.pdf", expires_s=1, origin=ORIGIN),
    }
    with pytest.raises(LinkRefused):
        calls[call](_store(tmp_path / "documents"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", CALLS)
def test_a_folder_that_fails_is_unavailable_in_words_that_tell_no_path(tmp_path: Path, call: str) -> None:
    """I15: a path names the job."""
    blocked = tmp_path / "documents"
    blocked.write_text("a file where the folder should be")
    store = _store(blocked)
    with pytest.raises(DocumentsUnavailable) as caught:
        CALLS[call](store)
    assert "documents" not in str(caught.value).replace("document folder", "")
    assert KEY not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_deleting_the_last_document_of_a_job_removes_its_folder(tmp_path: Path) -> None:
    """A year of reports must not leave a year of empty folders."""
    store = _store(tmp_path)
    store.put(KEY, produced(), until=lambda: 10.0)
    store.put(KEY.replace("/1-", "/2-"), produced(), until=lambda: 10.0)
    store.delete(KEY)
    assert len(_files(tmp_path)) == 1
    store.delete(KEY.replace("/1-", "/2-"))
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_that_died_left_of_a_document_is_deleted_with_it(tmp_path: Path) -> None:
    """Killed in mid-copy: half a report is personal data too, and nobody else knows that it is there."""

    class Killed(BaseException):
        pass

    def killed() -> float:
        raise Killed

    store = _store(tmp_path)
    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(Path, "unlink", lambda *_arguments, **_options: None)  # who is killed tidies nothing
        with pytest.raises(Killed):
            store.put(KEY, produced(), until=killed)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    store.delete(KEY)
    assert list(tmp_path.iterdir()) == []


def test_a_document_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    """Reports hold personal data, and the machine may have other users."""
    _store(tmp_path).put(KEY, produced(), until=lambda: 10.0)
    assert (tmp_path / KEY).stat().st_mode & 0o077 == 0


def test_a_link_opens_until_its_last_second_and_not_in_it(tmp_path: Path) -> None:
    """I11: 300 s, counted by the server that holds the bytes."""
    store = _store(tmp_path)
    store.put(KEY, produced(), until=lambda: 10.0)
    query = _query(store.url(KEY, filename="a.pdf", expires_s=300, origin=ORIGIN))
    assert _store(tmp_path, now=lambda: NOW + 299.7).open_link(query) == (tmp_path / KEY, "a.pdf")
    with pytest.raises(LinkRefused):
        _store(tmp_path, now=lambda: NOW + 300.0).open_link(query)


@pytest.mark.parametrize("opened_before", [False, True])
@pytest.mark.parametrize("settled", [False, True], ids=["new file", "old file"])
def test_a_link_opens_only_the_bytes_that_it_was_issued_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, opened_before: bool, settled: bool
) -> None:
    """I5: changed at the same size after the link was issued, also in another process."""
    if settled:  # hashes of files that were just written are not remembered
        monkeypatch.setattr(local_documents, "_SETTLED_NS", -1)
    store = _store(tmp_path)
    store.put(KEY, document := produced(), until=lambda: 10.0)
    assert store.holds_unchanged(KEY, size=document.size, sha256=document.sha256)
    query = _query(store.url(KEY, filename="a.pdf", expires_s=300, origin=ORIGIN))
    serving = _store(tmp_path)
    if opened_before:
        assert serving.open_link(query) == (tmp_path / KEY, "a.pdf")
    (tmp_path / KEY).write_bytes(altered((tmp_path / KEY).read_bytes()))
    for each in (store, serving):
        with pytest.raises(LinkRefused):
            each.open_link(query)


def test_an_old_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of 100 MB takes 100 ms each time."""
    store, hashed = _store(tmp_path), []
    store.put(KEY, document := produced(), until=lambda: 10.0)
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: hashed.append(1) or digest(*args))
    for settled_ns, times in ((local_documents._SETTLED_NS, 3), (-1, 1)):
        monkeypatch.setattr(local_documents, "_SETTLED_NS", settled_ns)
        hashed.clear()
        for _ in range(3):
            assert store.holds_unchanged(KEY, size=document.size, sha256=document.sha256)
        assert len(hashed) == times


def test_the_folder_is_resolved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that changes its directory later must not look for documents elsewhere."""
    monkeypatch.chdir(tmp_path)
    store = _store(Path("documents"))
    store.put(KEY, document := produced(), until=lambda: 10.0)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert store.holds(KEY, size=document.size)
    assert (tmp_path / "documents" / KEY).exists()


def test_a_link_leads_to_this_services_own_address(tmp_path: Path) -> None:
    """The origin is the request's, with whatever path stands before the mount."""
    url = _store(tmp_path).url(KEY, filename="a b.pdf", expires_s=300, origin="https://host.example/app")
    assert url.startswith("https://host.example/app/v1/files?")


def test_a_link_of_another_services_key_is_refused(tmp_path: Path) -> None:
    """I11: knowing the form of a link is not enough to make one."""
    _store(tmp_path).put(KEY, produced(), until=lambda: 10.0)
    query = _query(_store(tmp_path, key=b"x" * 32).url(KEY, filename="a", expires_s=300, origin=ORIGIN))
    with pytest.raises(LinkRefused):
        _store(tmp_path).open_link(query)


@pytest.mark.parametrize(
    "change",
    [
        {"expires": "9999999999"},
        {"expires": "soon"},
        {"expires": ""},
        {"expires": "1" * 5000},
        {"filename": "other.pdf"},
        {"filename": "a.pdf\n9999999999"},
        {"key": "../../etc/passwd"},
        {"signature": ""},
        {"signature": "\u00e9\ud800"},
        {"filename": "\ud800"},
        {"extra": "1"},
    ],
    ids=str,
)
def test_a_link_that_was_changed_is_refused_and_never_an_error(
    tmp_path: Path, change: dict[str, str]
) -> None:
    """I11: anyone may send anything here, without a token."""
    store = _store(tmp_path)
    store.put(KEY, produced(), until=lambda: 10.0)
    query = _query(store.url(KEY, filename="a.pdf", expires_s=300, origin=ORIGIN))
    with pytest.raises(LinkRefused):
        store.open_link({**query, **change})
    for name in query:
        with pytest.raises(LinkRefused):
            store.open_link({field: value for field, value in query.items() if field != name})


def test_a_link_cannot_be_cut_into_other_fields(tmp_path: Path) -> None:
    """The signed text joins the fields: no other division of it may give the same text."""
    store = _store(tmp_path)
    store.put(KEY, produced(), until=lambda: 10.0)
    honest = _query(store.url(KEY, filename="a\n9999999999", expires_s=300, origin=ORIGIN))
    forged = {**honest, "filename": "a", "expires": f"9999999999\n{honest['expires']}"}
    with pytest.raises(LinkRefused):
        store.open_link(forged)


def test_the_key_is_asked_for_when_a_link_is_made_and_not_before(tmp_path: Path) -> None:
    """Building the service writes no file."""
    asked = []
    store = LocalDocumentStore(
        tmp_path, link_key=lambda: asked.append(1) or b"k", files_path="/f", now=lambda: NOW
    )
    store.holds(KEY, size=1)
    assert asked == []
    store.url(KEY, filename="a", expires_s=1, origin="")
    assert asked
    assert list(tmp_path.iterdir()) == []


def test_a_link_does_not_tell_whom_its_document_is_about(tmp_path: Path) -> None:
    """I15: web servers log addresses."""
    store = _store(tmp_path)
    store.put(KEY, produced(), until=lambda: 10.0)
    url = store.url(KEY, filename="SQR_J_Bloggs_ABCD.pdf", expires_s=300, origin=ORIGIN)
    assert "Bloggs" not in url
    assert store.open_link(_query(url))[1] == "SQR_J_Bloggs_ABCD.pdf"


def test_an_upload_reads_no_folder_and_outlives_the_removal_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of years has many names; a deletion removes a job's empty folder at any moment."""
    store, listed, made = _store(tmp_path / "documents"), [], []
    store.put(KEY, produced(), until=lambda: 10.0)
    iterdir, mkdir = Path.iterdir, Path.mkdir

    def make(path: Path, **options: object) -> None:
        mkdir(path, **options)
        made.append(path)
        if len(made) == 1:
            path.rmdir()

    with monkeypatch.context() as disk:
        disk.setattr(Path, "iterdir", lambda path: listed.append(path) or iterdir(path))
        store.put(KEY, produced(), until=lambda: 10.0)
        assert listed == []
    store.delete(KEY)
    monkeypatch.setattr(Path, "mkdir", make)
    store.put(KEY, produced(), until=lambda: 10.0)
    assert store.holds(KEY, size=produced().size)
