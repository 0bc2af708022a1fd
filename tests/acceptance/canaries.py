"""Words that must never turn up in a log or at the broker (I15)."""

from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urlsplit

from tests.acceptance.crowd import Fetched
from tests.acceptance.program import Program

__all__ = ["found_in", "of_reports", "seen_by"]

NAMES = "Bloggs"
"""Every person of the sample host has it in the family name, and nothing else does."""


def of_reports(reports: Iterable[Fetched]) -> dict[str, str]:
    """Name each canary that these reports let fly, by what it is: names, tokens and what opens a URL."""
    canaries = {"a person's name": NAMES}
    for report in reports:
        canaries[f"the token of {report.org}"] = report.token
        query = dict(parse_qsl(urlsplit(report.downloaded.url).query))
        secret = query.get("X-Amz-Signature") or max(query.values(), key=len)
        canaries[f"the URL of {report.job['jobId']}"] = secret
    return canaries


def found_in(lines: Iterable[str], canaries: dict[str, str]) -> dict[str, str]:
    """Find which of them turn up, each with the first line that holds it."""
    found: dict[str, str] = {}
    for line in lines:
        for what, canary in canaries.items():
            if what not in found and canary in line:
                found[what] = line[:300]
    return found


def seen_by(programs: Sequence[Program]) -> list[str]:
    """Gather all that these programs wrote, with the program's name before each line."""
    return [f"{program.name}: {line}" for program in programs for line in program.said().splitlines()]
