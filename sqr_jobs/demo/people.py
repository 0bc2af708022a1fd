"""The demo's sample people: ordinary ones, one for each thing that can go wrong, and names that trap."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from sqr_jobs.domain.caller import Caller, User

__all__ = ["PEOPLE", "DemoUsers", "Note", "Person", "find_person"]

Note = Literal["slow", "fails", "not connected", "traps"]
"""What to expect of a report on the person.

slow: its data takes 8 seconds to load. fails: laying it out raises, job error RENDER_FAILED. not connected:
no caller may report on them. traps: an ordinary report under a name that breaks careless code.
"""


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
    Person(user_id="USTRAP0000000006", given_name="Bidi\u202efdp\x07", family_name="Ro\u200dsa 😀", note="traps"),
)
"""Each id is unique; the first person is the one the documentation asks for."""

_BY_ID: Mapping[str, Person] = MappingProxyType({person.user_id: person for person in PEOPLE})


def find_person(user_id: str) -> Person | None:
    """Find the sample person with this id; None where there is none."""
    return _BY_ID.get(user_id)


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
