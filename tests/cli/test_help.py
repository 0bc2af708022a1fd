"""What the command line says of itself."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqr_jobs.cli import _parser
from tests.cli.commands import run


def _commands(
    parser: argparse.ArgumentParser, path: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from _commands(below, f"{path} {name}".strip())


_PARSERS = dict(_commands(_parser()))


@pytest.mark.parametrize("command", _PARSERS)
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    """`--help` needs no setting, no factory and no database, and fits a terminal."""
    answer = run(*command.split(), "--help", home=tmp_path, cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith(f"usage: sqr-jobs {command}".strip())
    for slip in ("None", "SUPPRESS", "%(", "{}", "..."):
        assert slip not in answer.stdout.replace("COMMAND ...", "").replace("ACTION ...", "").replace(
            " ...\n", ""
        )
    assert max(map(len, answer.stdout.splitlines())) <= 100
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", _PARSERS)
def test_every_description_is_a_sentence(command: str) -> None:
    """The first thing read after the usage line."""
    description = _PARSERS[command].description or ""
    assert description[:1].isupper()
    assert description.endswith(".")


@pytest.mark.parametrize("command", _PARSERS)
def test_every_argument_is_explained_in_the_same_tone(command: str) -> None:
    """A list of options reads as one text: all have words, none shouts or ends in a full stop."""
    for action in _PARSERS[command]._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                assert choice.help, choice.dest
            continue
        assert action.help, f"{command}: {action.option_strings or action.dest} has no help"
        assert not action.help[0].isupper(), action.help
        assert not action.help.endswith("."), action.help


def test_the_commands_are_these() -> None:
    """A list that a change must touch, because scripts depend on it."""
    assert {
        "worker",
        "maintain",
        "db",
        "db upgrade",
        "db downgrade",
        "db current",
        "demo",
        "demo token",
        "jobs",
        "cancel",
        "retry",
        "erase",
    } <= set(_PARSERS)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["db"],
        ["db", "nonsense"],
        ["demo", "--framework", "django"],
        ["demo", "--port", "x"],
    ],
)
def test_a_mistyped_command_shows_the_usage_and_exits_with_2(arguments: list[str], tmp_path: Path) -> None:
    """What shells and scripts expect of a usage error."""
    answer = run(*arguments, home=tmp_path, cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("usage: sqr-jobs")
    assert "Traceback" not in answer.stderr
