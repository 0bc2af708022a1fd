"""Checks at the start that what a host passes can be called as it will be called."""

import inspect
from typing import Any

from sqr_jobs.errors import ConfigurationError

__all__ = ["check_conformity", "check_function"]


def check_conformity(part: object, protocol: type, *, passed_as: str, may_be_async: bool = False) -> None:
    """See that `part` has each method of the protocol, with parameters that its calls fit.

    `passed_as` names it in the sentence, as in `users=`. Raises `ConfigurationError`.
    """
    for name, asked in vars(protocol).items():
        if name.startswith("_") or not inspect.isfunction(asked):
            continue
        method = getattr(part, name, None)
        if callable(method) and _fits(method, asked):
            if not may_be_async and _is_async(method):
                raise ConfigurationError(
                    f"{passed_as}: {type(part).__name__}.{name} is async. Write it with def; inside, "
                    "asyncio.run(…) can run a coroutine."
                )
            continue
        if inspect.isclass(part):
            raise ConfigurationError(
                f"{passed_as} got the class {part.__name__}. Pass an instance: {part.__name__}(…)."
            )
        parameters = inspect.Signature(_called_with(asked))
        lack = f"takes other parameters than {parameters}" if callable(method) else "is no method"
        raise ConfigurationError(
            f"{passed_as}: {type(part).__name__}.{name} {lack}. Define it as {protocol.__name__}.{name} is."
        )


def check_function(function: object, *names: str, passed_as: str) -> None:
    """See that a function can be called with so many arguments. Raises `ConfigurationError`."""
    if not (callable(function) and _binds(function, names, {})):
        raise ConfigurationError(f"{passed_as} needs a function that takes ({', '.join(names)}).")


def _fits(method: Any, asked: Any) -> bool:
    parameters = _called_with(asked)
    by_name = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
    return _binds(method, [p.name for p in parameters if p.name not in by_name], by_name)


def _called_with(asked: Any) -> list[inspect.Parameter]:
    return [
        parameter.replace(annotation=parameter.empty)
        for parameter in list(inspect.signature(asked).parameters.values())[1:]
    ]


def _binds(function: Any, arguments: Any, keywords: Any) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C, or a mock: nothing says what it takes
        return True
    try:
        signature.bind(*arguments, **keywords)
    except TypeError:
        return False
    return True


def _is_async(method: Any) -> bool:
    return inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
