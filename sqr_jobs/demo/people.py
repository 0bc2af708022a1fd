"""The demo's sample people and what is known of them.

There are ordinary people, one for each thing that can go wrong, and people whose names are traps.
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from sqr_jobs.domain.caller import Caller, User

__all__ = [
    "PEOPLE",
    "DemoUsers",
    "Note",
    "Person",
    "Result",
    "checks_of",
    "find_person",
    "listing",
    "sections_of",
]


Note = Literal["slow", "fails", "not connected", "traps"]
"""What to expect of a report on the person.

slow: its data takes 8 seconds to load. fails: laying it out raises, job error RENDER_FAILED. not connected:
no caller may report on them. traps: an ordinary report under a name that breaks careless code.
"""


class Result(StrEnum):
    """What a check of a person came to."""

    CLEAR = "Clear"
    REVIEW = "Review"
    NOT_DONE = "Not done"


@dataclass(frozen=True, kw_only=True)
class Person:
    """A sample person; no one real."""

    user_id: str
    """1 to 16 characters."""
    given_name: str
    family_name: str
    note: Note | None
    """None for an ordinary person."""
    family_name_first: bool = False
    """Whether the family name is said and written first, as in "Nguyễn Văn An"."""

    @property
    def full_name(self) -> str:
        """The name as its bearer writes it."""
        names = (self.given_name, self.family_name)
        return " ".join(reversed(names) if self.family_name_first else names)

    @property
    def seed(self) -> bytes:
        """32 bytes, always the same for this person, to choose made-up facts by."""
        return hashlib.sha256(self.user_id.encode()).digest()


PEOPLE: tuple[Person, ...] = (
    Person(user_id="US1A2B3C4D5E6F78", given_name="John", family_name="Smith", note=None),
    Person(user_id="US2B3C4D5E6F7A89", given_name="Amara", family_name="Okafor", note=None),
    Person(user_id="US3C4D5E6F7A8B90", given_name="Elena", family_name="García Molina", note=None),
    Person(user_id="US4D5E6F7A8B9C01", given_name="Tomasz", family_name="Wiśniewski", note=None),
    Person(user_id="US5E6F7A8B9C0D12", given_name="Ελένη", family_name="Παπαδοπούλου", note=None),
    Person(user_id="USS10W0000000001", given_name="Sloane", family_name="Turtle", note="slow"),
    Person(user_id="USFA11000000002A", given_name="Felix", family_name="Fehler", note="fails"),
    Person(user_id="USN0C0NNECT0003B", given_name="Nadia", family_name="Fremd", note="not connected"),
    Person(user_id="USTRAP0000000001", given_name="Zoë", family_name="Þórsdóttir", note="traps"),
    Person(
        user_id="USTRAP0000000002",
        given_name="Văn An",
        family_name="Nguyễn",
        note="traps",
        family_name_first=True,
    ),
    Person(
        user_id="USTRAP0000000003",
        given_name="Siobhán",
        family_name="O'Brien <script>alert(1)</script>",
        note="traps",
    ),
    Person(user_id="USTRAP0000000004", given_name="Pat", family_name="Smith & Sons", note="traps"),
    Person(
        user_id="USTRAP0000000005",
        given_name="Hubert",
        family_name=("Wolfeschlegelsteinhausenbergerdorff" * 9)[:300],
        note="traps",
    ),
    Person(
        user_id="USTRAP0000000006", given_name="Bidi\u202efdp\x07", family_name="Ro\u200dsa 😀", note="traps"
    ),
)
"""Each id is unique; the first person is the one the documentation asks for."""

_HOMES = (
    ("12 Alder Lane", "Bristol", "BS1 9ZZ"),
    ("7 Mill Rise", "Leeds", "LS1 9ZZ"),
    ("Flat 3, 40 Harbour Street", "Cardiff", "CF10 9ZZ"),
    ("58 Castle Terrace", "Edinburgh", "EH1 9ZZ"),
)
_NATIONALITIES = (
    ("British", "British citizen"),
    ("Irish", "Common Travel Area"),
    ("Polish", "Settled status"),
    ("Nigerian", "Indefinite leave to remain"),
)
_EMPLOYERS = (
    ("Fernhill Logistics (sample)", "Operations planner"),
    ("Harbour & Vale Bank (sample)", "Customer adviser"),
    ("Larkspur Software (sample)", "Test engineer"),
    ("Oakmere Care Homes (sample)", "Team leader"),
    ("Redbridge Museums (sample)", "Collections assistant"),
)
_REFEREES = ("Dr Ruth Ashdown", "Marcus Oyelaran", "Ingrid Solberg", "Peter Hallam")
_CHECKS = (
    ("Identity document", "Chip read, security features examined", "Document reader"),
    ("Portrait", "Document compared with a live photograph", "Document reader"),
    ("Address", "Two independent records compared", "Postal register"),
    ("Right to work", "Share code confirmed online", "Immigration service"),
    ("Sanctions lists", "Four lists, with aliases and spellings", "Consolidated lists"),
    ("Public office", "Politically exposed persons and relatives", "Officials register"),
    ("Adverse media", "Press of the last seven years", "Press archive"),
    ("Criminal record", "Basic level, unspent convictions", "Disclosure service"),
    ("Credit history", "Insolvencies and judgments of six years", "Credit register"),
    ("Directorships", "Current, former and disqualified", "Company register"),
    ("Employment, latest", "Dates, role and reason for leaving", "Former employer"),
    ("Employment, earlier", "Dates and role, five years back", "Former employers"),
    ("Education", "Highest qualification named", "Awarding body"),
    ("Professional register", "Membership, standing and measures taken", "Professional body"),
    ("Tax number", "Form, and the name that it is registered to", "Revenue service"),
    ("Driving licence", "Categories, points and validity", "Licensing office"),
)
_BY_ID: Mapping[str, Person] = MappingProxyType({person.user_id: person for person in PEOPLE})


def find_person(user_id: str) -> Person | None:
    """Find the sample person with this id; None where there is none."""
    return _BY_ID.get(user_id)


def listing() -> list[dict[str, str]]:
    """List the sample people for clients: `userId` and `name`, and the `note` of those who have one."""
    return [
        {"userId": person.user_id, "name": person.full_name} | ({"note": person.note} if person.note else {})
        for person in PEOPLE
    ]


def sections_of(person: Person, today: date) -> dict[str, list[tuple[str, str | date]]]:
    """Make up what documents, employers and referees say: headings, and the labels and values under them."""
    seed = person.seed
    street, town, postcode = _HOMES[seed[0] % len(_HOMES)]
    nationality, basis = _NATIONALITIES[seed[17] % len(_NATIONALITIES)]
    (latest, role), (before, old_role) = (_EMPLOYERS[(seed[2] + n) % len(_EMPLOYERS)] for n in (0, 1))
    referee, other_referee = (_REFEREES[(seed[3] + n) % len(_REFEREES)] for n in (0, 1))
    began = today.year - 3 - seed[4] % 4
    letters = unicodedata.normalize("NFKD", f"{person.given_name}.{person.family_name}").lower()
    mailbox = "".join(c for c in letters if c.isascii() and (c.isalpha() or c == "."))[:16].strip(".")
    return {
        "Identity": [
            ("Given names", person.given_name),
            ("Family name", person.family_name),
            ("Date of birth", date(1961 + seed[5] % 40, 1 + seed[6] % 12, 1 + seed[7] % 28)),
            ("Nationality", nationality),
            ("Document", "Passport, with chip"),
            ("Document number", f"••••• {1000 + seed[8] * 31}"),
        ],
        "Contact": [
            ("Email", f"{mailbox or person.user_id[-8:].lower()}@example.com"),
            ("Telephone", f"+44 20 7946 0{100 + seed[9] * 3}"),
            ("Preferred language", "English"),
            ("Address", street),
            ("Town and postcode", f"{town}, {postcode}"),
            ("Lived there since", str(today.year - 1 - seed[10] % 9)),
        ],
        "Right to work": [
            ("Basis", basis),
            ("Share code", f"W{seed[11]:03d} •••"),
            ("Confirmed on", today - timedelta(days=6 + seed[12] % 5)),
            ("Valid until", "No end date"),
            ("Restrictions", "None"),
            ("Next check due", "Not needed"),
        ],
        "Employment history": [
            ("Latest employer", latest),
            ("Role", role),
            ("Period", f"{began} to {today.year - 1}"),
            ("Employer before", before),
            ("Role", old_role),
            ("Period", f"{began - 4 - seed[13] % 5} to {began}"),
            ("Longest gap", f"{3 + seed[14] % 9} weeks"),
            ("Years covered", "5"),
            ("Who was asked", "Personnel departments"),
        ],
        "References": [
            ("First referee", referee),
            ("Relationship", "Line manager"),
            ("Received on", today - timedelta(days=3 + seed[15] % 5)),
            ("Second referee", other_referee),
            ("Relationship", "Former colleague"),
            ("Received on", today - timedelta(days=2 + seed[16] % 6)),
        ],
    }


def checks_of(person: Person, today: date) -> list[dict[str, str | date | None]]:
    """Make up results of checks, most of them clear; for the person who fails, one without its date.

    The first four are always clear: what `sections_of` tells rests on them.
    """
    seed, others = person.seed, len(_CHECKS) - 4
    results = dict.fromkeys(range(len(_CHECKS)), Result.CLEAR)
    results |= dict.fromkeys(
        (4 + number % others for number in seed[17 : 17 + seed[25] % 3]), Result.NOT_DONE
    )
    results |= dict.fromkeys((4 + number % others for number in seed[20 : 20 + seed[26] % 3]), Result.REVIEW)
    checks: list[dict[str, str | date | None]] = []
    for index, (name, scope, source) in enumerate(_CHECKS):
        done_on = None if results[index] is Result.NOT_DONE else today - timedelta(days=2 + seed[index] % 11)
        checks.append(
            {"name": name, "scope": scope, "source": source, "result": results[index], "done_on": done_on}
        )
    if person.note == "fails":
        checks[0] |= {"result": Result.CLEAR, "done_on": None}
    return checks


class DemoUsers:
    """The demo's `UserDirectory`: everyone but "not connected" belongs to whatever org the token names."""

    def find(self, user_id: str) -> User | None:
        """Find the person with this id; None where there is none."""
        person = find_person(user_id)
        if person is None:
            return None
        return User(user_id=user_id, given_name=person.given_name, family_name=person.family_name)

    def may_report(self, caller: Caller, user: User) -> bool:  # noqa: ARG002 - the demo knows no orgs
        """Say yes for every sample person but the one who is not connected."""
        person = find_person(user.user_id)
        return person is not None and person.note != "not connected"
