"""Characters that a document's fonts have no glyph for: they are drawn as boxes, or not at all."""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["MissingGlyphs"]

_MOST = 20
"""Code points that are named; a document of a foreign script may lack thousands."""


@dataclass(frozen=True, kw_only=True)
class MissingGlyphs:
    """What one document lacks."""

    characters: int
    """How many characters were drawn without a glyph, each as often as it was drawn."""
    code_points: int
    """How many different ones."""
    most: tuple[tuple[int, int], ...]
    """Code point and count, the most frequent first; 20 at most."""

    @classmethod
    def counted(cls, counts: Mapping[str, int]) -> "MissingGlyphs | None":
        """Sum up what was drawn, by character; None where every character had a glyph."""
        if not counts:
            return None
        by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        most = tuple((ord(character), count) for character, count in by_count[:_MOST])
        return cls(characters=sum(counts.values()), code_points=len(counts), most=most)

    @classmethod
    def from_message(cls, fields: Mapping[str, Any]) -> "MissingGlyphs":
        """Read what `dataclasses.asdict` wrote and JSON carried."""
        most = tuple((int(code), int(count)) for code, count in fields["most"])
        return cls(characters=int(fields["characters"]), code_points=int(fields["code_points"]), most=most)

    def for_history(self) -> str:
        """Write the code points for the job's history, which may hold personal data."""
        return f"missing glyphs: {self._listed({_code_point(code): count for code, count in self.most})}"

    def for_log(self) -> str:
        """Write them for the log, where letters and digits, which may be a name, are named by script only."""
        counts: Counter[str] = Counter()
        for code, count in self.most:
            counts[_script(code) or _code_point(code)] += count
        return self._listed(counts)

    def _listed(self, counts: Mapping[str, int]) -> str:
        others = self.code_points - len(self.most)
        left = self.characters - sum(count for _, count in self.most)
        named = [f"{what} x{count}" for what, count in counts.items()]
        return ", ".join([*named, f"{others} others x{left}"] if others else named)


def _code_point(code: int) -> str:
    return f"U+{code:04X}"


def _script(code: int) -> str | None:
    """Name the script of a letter, mark or digit, such as `HEBREW letters`; None of anything else."""
    category = unicodedata.category(chr(code))
    if category[0] not in "LM" and category != "Nd":
        return None
    return f"{unicodedata.name(chr(code), 'unnamed').split(' ')[0]} letters"
