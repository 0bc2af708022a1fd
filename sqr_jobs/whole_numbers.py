"""How many: a number as the command line takes it."""

import argparse

__all__ = ["whole_number"]


def whole_number(text: str, *, most: int | None = None) -> int:
    """Read a number of things, of which there is at least one. Raises `argparse.ArgumentTypeError`."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1 or (most is not None and number > most):
        up_to = f", at most {most}" if most else ""
        raise argparse.ArgumentTypeError(f"give a whole number, at least 1{up_to}")
    return number
