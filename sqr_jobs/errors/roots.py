"""What everything else derives from, and what is wrong at the start."""

__all__ = ["ConfigurationError", "FactoryFailed", "SqrJobsError"]


class SqrJobsError(Exception):
    """The root of everything this library raises on purpose."""


class ConfigurationError(SqrJobsError):
    """A setting or the host's code is wrong; the message says what to set or change."""


class FactoryFailed(ConfigurationError):
    """The host's factory raised where the render child called it.

    Its text names the class and the place, for the log. `cause` is what was raised, with its message, which
    may hold a password: for the audit row, and for a person at a terminal.
    """

    def __init__(self, told: str, cause: str) -> None:
        super().__init__(told)
        self.cause = cause
