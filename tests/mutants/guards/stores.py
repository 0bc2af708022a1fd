"""The guards of document stores and files."""

from tests.mutants.guards.guard import Guard

__all__ = ["STORES"]

_FILE_TESTS = "tests/contracts/test_sqlite_file.py"
_S3 = "sqr_jobs/adapters/s3_documents.py"
_CONNECTION = "sqr_jobs/adapters/s3_connection.py"
_CONNECTION_TESTS = "tests/contracts/test_s3_connection.py"
_FOLDER = "sqr_jobs/adapters/local_documents.py"
_FOLDER_TESTS = "tests/contracts/test_local_documents.py"
_SHELTER = "tests/contracts/test_sheltered_documents.py"

STORES = (
    Guard(
        name="a file of SQLite is its owner's alone",
        file="sqr_jobs/local_paths.py",
        code="os.O_EXCL, 0o600)",
        without="os.O_EXCL, 0o660)",
        tests=(_FILE_TESTS,),
    ),
    Guard(
        name="few requests wait for the document store",
        file="sqr_jobs/adapters/sheltered_documents.py",
        code="            while self._running >= _CALLS:\n",
        without="            while False:\n",
        tests=(_SHELTER,),
    ),
    Guard(
        name="a document store that does not answer is left alone",
        file="sqr_jobs/adapters/sheltered_documents.py",
        code="            if failed and self._now() - began > _SLOW_S:\n",
        without="            if False:\n",
        tests=(_SHELTER,),
    ),
    Guard(
        name="the bucket's checksum is compared",
        file=_S3,
        code="                return bool(kept == _in_base64(sha256))\n",
        without="                return bool(kept)\n",
        tests=("tests/contracts/test_document_store.py",),
    ),
    Guard(
        name="bytes without a checksum are hashed",
        file=_S3,
        code="            return digest == sha256\n",
        without="            return bool(digest)\n",
        tests=("tests/contracts/test_document_store.py",),
    ),
    Guard(
        name="a file's bytes are compared before a link is issued",
        file=_FOLDER,
        code=" or self._digest(self._path(key)) != sha256:\n",
        without=":\n",
        tests=("tests/contracts/test_document_store.py",),
    ),
    Guard(
        name="a link opens the bytes that it was issued for",
        file=_FOLDER,
        code="        if digest and self._digest(path) != digest:\n            raise LinkRefused\n",
        without="",
        tests=(_FOLDER_TESTS,),
    ),
    Guard(
        name="refused credentials are read again",
        file=_CONNECTION,
        code="            if not (_refuses_credentials(error) and self._renew(client)):\n",
        without="            if True:\n",
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="refused credentials are not read at each request",
        file=_CONNECTION,
        code="            if self._now() - self._renewed_at < _RENEWAL_S:\n",
        without="            if False:\n",
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="a forgotten connection costs half of a request's time",
        file=_S3,
        code="                again=self._connection.forget_idle,\n",
        without="                again=lambda: None,\n",
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="an upload uses no connection that was idle for long",
        file=_CONNECTION,
        code="        if self._used_at - used_at > _IDLE_S:\n            self.forget_idle()\n",
        without="",
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="an abandoned upload reads nothing any more",
        file="sqr_jobs/adapters/upload_body.py",
        code="        seconds = 0.0 if self._over.is_set() else self._until()\n",
        without="        seconds = self._until()\n",
        tests=("tests/contracts/test_s3_uploads.py",),
    ),
    Guard(
        name="a file that an abandoned upload may read is not written again",
        file="sqr_jobs/processing.py",
        code="            free = produced.discard if is_read and produced.discard else produced.release\n",
        without="            free = produced.release\n",
        tests=("tests/unit/test_processing.py",),
    ),
    Guard(
        name="URLs name the bucket's region",
        file=_CONNECTION,
        code='            addressing = "path" if endpoint_url else "virtual"\n',
        without='            addressing = "path" if endpoint_url else "auto"\n',
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="a stored key has one shape",
        file=_FOLDER,
        code="        if not _KEY.fullmatch(key):\n",
        without="        if not _KEY.match(key):\n",
        tests=(_FOLDER_TESTS,),
    ),
    Guard(
        name="bytes are synced before they are named",
        file=_FOLDER,
        code="                    os.fsync(part.fileno())\n",
        without="",
        tests=(_FOLDER_TESTS,),
    ),
    Guard(
        name="a name is synced before it is relied on",
        file=_FOLDER,
        code="                _keep_names(target.parent, target.parent.parent)\n",
        without="",
        tests=(_FOLDER_TESTS,),
    ),
    Guard(
        name="a URL carries the content type",
        file=_S3,
        code='                    "ResponseContentType": "application/pdf",\n',
        without="",
        tests=("tests/contracts/test_s3_uploads.py",),
    ),
)
