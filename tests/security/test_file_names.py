"""Names in a header and on a disk: whatever a person is called, or a template's hook says, it is one line.

That `safe_filename` and `content_disposition` hold for any text stands in `tests/unit/test_filenames.py`;
here it is the answer that a browser gets, from the folder through both frameworks and from the bucket.
"""

import email.message
import re
import unicodedata
from collections.abc import Callable

import pytest
from werkzeug.http import parse_options_header

from sqr_jobs import Caller, ReportJobs, Settings, User, build_report_jobs
from tests.host.reports import Report
from tests.http.clients import Client, Reply
from tests.http.conftest import Serve

pytestmark = pytest.mark.both_forms

_NAMES = {
    "plain": "Smith",
    "CR LF": "x\r\nSet-Cookie: a=b\r\n\r\n<html>",
    "LF": "x\nX-Evil: 1",
    "CR": "x\rX-Evil: 1",
    "folded": "x\r\n evil",
    "quote": 'a"; filename=evil.exe; x="',
    "two quotes": '""',
    "backslash at the end": "a\\",
    "escaped quote": 'a\\"b',
    "semicolon": "a;filename*=UTF-8''evil.exe",
    "percent": "%0d%0aX-Evil:%201 %00 %",
    "comma": "a, attachment; filename=b",
    "slash": "/etc/passwd",
    "backslashes": "..\\..\\windows\\system32",
    "dots": "..",
    "more dots": "....//....//etc",
    "hidden": ".htaccess",
    "device": "CON",
    "device with suffix": "nul.tar",
    "device with a raised digit": "COM\u00b9",
    "stream": "a::$DATA",
    "drive": "C:a",
    "wild cards": "*?<>|",
    "tilde": "~root",
    "option": "-rf",
    "trailing dot and blank": "a. ",
    "other ending": "evil.pdf.exe",
    "NUL": "a.exe\x00",
    "direction": "fdp.\u202egnp.exe",
    "isolates": "\u2066a\u2069",
    "fullwidth": "\uff0e\uff0e\uff0f\uff02\uff1b",
    "line separator": "a\u2028b\u2029c\x85d",
    "combining": "\u0338\u0301a",
    "composed and not": "e\u0301\u00e9",
    "emoji": "\U0001f600",
    "Cyrillic": "\u0416\u0443\u043a\u043e\u0432",
    "Arabic": "\u0645\u062d\u0645\u062f",
    "CJK": "\u738b" * 200,
    "lone surrogate": "a\ud800b",
    "1,000 letters": "x" * 1_000,
    "1,000 letters of four bytes": "\U00020000" * 1_000,
    "1,000 quotes": '"' * 1_000,
    "RFC 2047": "=?utf-8?q?evil=0d=0a?=",
    "nothing": "",
}
_STRANGE = re.compile(r"[\x00-\x1f\x7f\"*/:<>?\\|;,%]")
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{kind}{n}" for kind in ("COM", "LPT") for n in "0123456789¹²³")}


class _Directory:
    """Calls everyone what the test says."""

    name = ""

    def find(self, user_id: str) -> User:
        return User(user_id=user_id, given_name=self.name, family_name=self.name)

    def may_report(self, caller: Caller, user: User) -> bool:
        return True


class _Hooked(Report, name="report", version="v1", language="en"):
    """Names its files after the person, just as the person is called."""

    def filename(self, user: User, job_id: str) -> str:
        return user.family_name


def _by_default() -> ReportJobs:
    return build_report_jobs(Settings(), users=_Directory(), templates=[Report()])


def _by_a_hook() -> ReportJobs:
    return build_report_jobs(Settings(), users=_Directory(), templates=[_Hooked()])


def _read_by_python(value: str) -> str | None:
    message = email.message.Message()
    message["Content-Disposition"] = value
    return message.get_filename()


def _read_by_werkzeug(value: str) -> str | None:
    kind, options = parse_options_header(value)
    assert kind == "attachment"
    assert set(options) == {"filename"}
    return options["filename"]


def _is_harmless(name: str) -> bool:
    """Judge a name by rules of file systems, not by our own code."""
    return (
        name.endswith(".pdf")
        and len(name) > 4
        and len(name.encode()) <= 255
        and not _STRANGE.search(name)
        and name[0] not in ".-~ "
        and name.partition(".")[0].upper() not in _DEVICES
        and all(unicodedata.category(character)[0] != "C" for character in name)
    )


@pytest.mark.parametrize("make", [_by_default, _by_a_hook])
def test_a_name_stays_one_header_and_one_harmless_name(serve: Serve, make: Callable[[], ReportJobs]) -> None:
    """A line break would add a header, a quote a parameter, a slash a folder, a mark another ending."""
    client = serve(make)
    directory = client.system.users = _Directory()
    job_id = client.complete()
    directory.name = "Smith"
    usual = _download(client, job_id)[1]
    for what, directory.name in _NAMES.items():
        told, reply = _download(client, job_id)
        assert _is_harmless(told), what
        assert set(reply.headers) == set(usual.headers), what
        assert reply.body == usual.body
        value = reply.headers["content-disposition"]
        assert value.isascii(), what
        assert value.isprintable(), what
        assert (value.count("filename="), value.count("filename*=")) == (1, 1), what
        assert _read_by_werkzeug(value) == told, what
        assert _read_by_python(value) in (told, _fallback(value)), what
        assert _is_harmless(_fallback(value)) or _fallback(value).strip("-_.") == "pdf", what


def _download(client: Client, job_id: str) -> tuple[str, Reply]:
    """Ask for a URL and follow it; return the name that was told, and the answer."""
    issued = client.url(job_id)
    assert issued.status == 200, issued.body
    reply = client.follow(issued.json()["url"])
    assert reply.status == 200
    return issued.json()["filename"], reply


def _fallback(value: str) -> str:
    """Read the name for old clients, which know nothing of `filename*`."""
    found = re.fullmatch(r'attachment; filename="([^"\\]*)"; filename\*=UTF-8\'\'\S+', value)
    assert found, value
    return found[1]
