"""A host with an Alembic of its own: the project that docs/howto/migrations.md shows, run as by its owner."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

__all__ = ["HostAlembic"]

_PROJECT = Path(__file__).parents[2] / "docs" / "howto" / "migrations_app"
_TIMEOUT_S = 60
# What the program `alembic` does, more than once: each start costs most of a second.
_PROGRAM = "import sys; from alembic.config import main; [main(line.split()) for line in sys.argv[1:]]"


class HostAlembic:
    """A copy of the project in a folder, on one database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder / "shop"
        self._url = url
        shutil.copytree(_PROJECT, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        if make_url(url).get_backend_name() == "mysql":  # as docs/howto/mariadb.md has its reader do
            for path in ("models.py", "migrations/versions/shop_0002_orders.py"):
                self.change(path, "String(36)", 'String(36, collation="utf8mb4_nopad_bin")')

    def __call__(self, *commands: str) -> str:
        """Run commands that succeed, such as `upgrade heads`; return what they print."""
        ended = self._run(*commands)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def refused(self, command: str) -> str:
        """Run a command that fails with a sentence; return the sentence."""
        ended = self._run(command)
        assert ended.returncode != 0
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.stdout + ended.stderr

    def recorded(self) -> set[str]:
        """Read the host's version table."""
        engine = create_engine(self._url)
        with engine.connect() as connection:
            found = set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
        engine.dispose()
        return found

    def change(self, path: str, old: str, new: str) -> None:
        """Edit a file of the project."""
        file = self.folder / path
        content = file.read_text(encoding="utf-8")
        assert old in content
        file.write_text(content.replace(old, new), encoding="utf-8")

    def add(self, path: str, content: str) -> None:
        """Write a new file."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")

    def _run(self, *commands: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", _PROGRAM, *commands],
            cwd=self.folder,
            env={**os.environ, "SHOP_DATABASE_URL": self._url, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
