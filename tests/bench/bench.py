"""What every measurement is given: servers, effort, a folder, and deployments on them."""

import itertools
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.byhand.deployment import ByHand
from tests.bench.effort import Effort
from tests.bench.http_client import Tokens
from tests.bench.servers import Servers
from tests.bench.site import Site

__all__ = ["DISTRIBUTED", "EMBEDDED", "FORMS", "Bench"]

EMBEDDED, DISTRIBUTED = "embedded", "distributed"
FORMS = (EMBEDDED, DISTRIBUTED)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One run."""

    servers: Servers
    effort: Effort
    folder: Path
    tokens: Tokens = field(default_factory=Tokens)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def site(self, form: str, **settings: object) -> Iterator[Site]:
        """Give the library, embedded or distributed."""
        folder = self._new_folder(f"site-{form}")
        with ExitStack() as stack:
            if form == EMBEDDED:
                site = Site.embedded(folder, self.tokens, **settings)
            else:
                backends = stack.enter_context(self.servers.backends())
                site = Site.distributed(folder, self.tokens, backends, **settings)
            yield stack.enter_context(site)

    @contextmanager
    def by_hand(self, form: str, *, queue: str) -> Iterator[ByHand]:
        """Give the hand-written service on the same kinds of servers."""
        folder = self._new_folder(f"by-hand-{form}")
        with ExitStack() as stack:
            backends = stack.enter_context(self.servers.backends()) if form == DISTRIBUTED else None
            yield stack.enter_context(ByHand(folder, self.tokens, backends, queue=queue))

    def say(self, text: str) -> None:
        """Tell whoever waits how far it is."""
        sys.stderr.write(f"bench: {text}\n")
        sys.stderr.flush()

    def _new_folder(self, name: str) -> Path:
        return self.folder / f"{next(self._numbers)}-{name}"
