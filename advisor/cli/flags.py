"""The flags of a verb, made from the definitions of what can be said (`advisor.economics.definition`)."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar, get_origin

import typer

from advisor.cli import common
from advisor.core.errors import ConfigurationError
from advisor.economics.definition import Option

Verb = TypeVar("Verb", bound=Callable[..., None])


def with_flags(*groups: tuple[str, Iterable[Option]]) -> Callable[[Verb], Verb]:
    """Give a verb one flag an option, before its own; what was typed comes as ``**given``, by `Option.parameter`.

    Args:
        groups: options under the name of their panel in the help; one that names its own panel is shown there.
    """
    made = [_flag(one, panel) for panel, options in groups for one in options if one.flag]

    def give(verb: Verb) -> Verb:
        own = inspect.signature(verb, eval_str=True)
        kept = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        vars(verb)["__signature__"] = own.replace(parameters=[*made, *kept])
        return verb

    return give


def _flag(one: Option, panel: str) -> inspect.Parameter:
    shown: dict[str, Any] = {"envvar": one.variable or None, "help": one.help}
    if one.argument:
        info = typer.Argument(show_default=False, **shown)
    else:
        shown["rich_help_panel"] = one.panel or panel or None
        if one.unit is not None:
            shown["metavar"] = {"$": "<usd>", "%": "<share>"}.get(one.unit.sign, "<number>")
        info = typer.Option(*one.flags or (), **shown)
    kind: Any = one.kind if one.kind in (int, bool) else str
    if get_origin(one.kind) in (tuple, Mapping):
        kind = list[str]
    annotation = Annotated[kind | None, info]
    return inspect.Parameter(one.parameter, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def typed_keys(given: Mapping[str, Any], options: Mapping[str, Option]) -> dict[str, Any]:
    """Return what was typed as plain values, under the keys of a file.

    Raises:
        ConfigurationError: a pair is not written ``name=column``.
    """
    found: dict[str, Any] = {}
    for key, one in options.items():
        value = given.get(one.parameter) if one.flag and one.in_file else None
        if get_origin(one.kind) is Mapping:
            value = common.pairs(value or (), one.flag)
        if get_origin(one.kind) in (tuple, Mapping):
            value = value or None
        if value is not None:
            found[key] = value
    return found


def typed_values(given: Mapping[str, Any], options: Mapping[str, Option]) -> dict[str, Any]:
    """Return the values that were typed, by name; for a verb that has no file.

    Raises:
        ConfigurationError: one cannot be used.
    """
    found = {}
    for name, plain in typed_keys(given, options).items():
        one = options[name]
        try:
            found[name] = tuple(plain) if get_origin(one.kind) is tuple else one.parse(plain)
        except ValueError as error:
            raise ConfigurationError(f"{one.flag}: {error}") from None
        one.check(found[name], one.flag)
    return found


def spelled(options: Mapping[str, Option], block: str = "") -> dict[str, str]:
    """Return what is typed for each key, with its variable where that is set; a block's keys are ``block.key``."""
    before = f"{block}." if block else ""
    return {f"{before}{key}": _typed_as(one) for key, one in options.items() if one.flag}


def _typed_as(one: Option) -> str:
    return f"{one.flag} (or {one.variable})" if one.variable in os.environ else one.flag
