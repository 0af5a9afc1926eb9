"""What a user can say, each thing defined once: as metadata of the dataclass field that holds it.

    horizon_months: Annotated[float, Option("How long it will be used.", MONTHS, Bounds(above=0))] = 12.0

That line makes the flag ``--horizon-months``, the variable ``ADVISOR_HORIZON_MONTHS``, the key of a YAML file, its JSON
Schema, the check of its bounds, and the words in a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, MISSING, dataclass, fields, replace
from datetime import date
from functools import cache
from keyword import iskeyword
from numbers import Real
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from advisor.core.errors import ConfigurationError, did_you_mean
from advisor.economics.amounts import (
    LARGEST,
    Range,
    Unit,
    amount_schema,
    number_schema,
    parse_amount,
    parse_number,
    refuse_negative,
    typed,
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which numbers are allowed; `note` explains them in an error, `allowed` stands for all words there."""

    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    note: str = ""
    allowed: str = ""

    def broken(self, value: float) -> str:
        """Return which bound `value` breaks, ``"less than 1"``, or nothing; not-a-number breaks every bound."""
        if self.above is not None and not value > self.above:
            return f"greater than {self.above:g}"
        if self.least is not None and not value >= self.least:
            return f"greater than or equal to {self.least:g}"
        if self.below is not None and not value < self.below:
            return f"less than {self.below:g}"
        if self.most is not None and not value <= self.most:
            return f"less than or equal to {self.most:g}"
        return ""

    @property
    def words(self) -> str:
        """What is allowed: ``above 0 and at most 1``."""
        if self.allowed:
            return self.allowed
        low = "" if self.above is None else f"above {self.above:g}"
        low = low if self.least is None else f"{'from' if self._has_end else 'at least'} {self.least:g}"
        high = "" if self.below is None else f"below {self.below:g}"
        high = high if self.most is None else f"at most {self.most:g}"
        note = f" ({self.note})" if self.note else ""
        return " and ".join(part for part in (low, high) if part) + note

    @property
    def _has_end(self) -> bool:
        return self.below is not None or self.most is not None

    @property
    def schema(self) -> dict[str, float]:
        """The keywords of JSON Schema."""
        keywords = {
            "exclusiveMinimum": self.above,
            "minimum": self.least,
            "exclusiveMaximum": self.below,
            "maximum": self.most,
        }
        return {keyword: value for keyword, value in keywords.items() if value is not None}


WHOLE = Bounds(least=0)
NOT_NEGATIVE = Bounds(least=0, allowed="a number from 0 to 1e15")


@dataclass(frozen=True, slots=True)
class Option:
    """What a user can say in one place of a command, of a file or of a call from Python.

    Attributes:
        help: of the flag.
        unit: of a number that may have decimals; `None` for everything else, whole numbers too.
        bounds: of a number.
        flags: as they are typed; left out: named as the field; empty: there is none.
        panel: the group in the help.
        argument: typed without a flag; `flags` is then how it is called in errors.
        repeated: part of a line to type again; not so where no figure depends on it.
        in_file: a key of a YAML file too.
        from_environment: a variable may stand for the flag; not so where each command has to say it.
        name, kind, required, optional: of the field, filled in by `declared_options`; required is one without a
            default, optional one that may be `None`.
    """

    help: str = ""
    unit: Unit | None = None
    bounds: Bounds = NOT_NEGATIVE
    _: KW_ONLY
    flags: tuple[str, ...] | None = None
    panel: str = ""
    argument: bool = False
    repeated: bool = True
    in_file: bool = True
    from_environment: bool = True
    name: str = ""
    kind: Any = None
    required: bool = False
    optional: bool = False

    @property
    def flag(self) -> str:
        """The long flag, ``--usd-per-hour``; empty where there is none."""
        return self.flags[0].partition("/")[0] if self.flags else ""

    @property
    def parameter(self) -> str:
        """The flag as a name of Python, ``usd_per_hour``; ``from_`` for ``--from``, which is a word of Python's own."""
        name = self.flag.strip("-").replace("-", "_").lower()
        return f"{name}_" if iskeyword(name) else name

    @property
    def variable(self) -> str:
        """The environment variable that stands for the flag; empty where none does."""
        return "" if not self.from_environment else f"ADVISOR_{self.parameter.strip('_').upper()}"

    @property
    def may_be_range(self) -> bool:
        """Whether a 90 % range may be given."""
        return Range in get_args(self.kind)

    def parse(self, plain: Any) -> Any:
        """Return a plain value of a file or of the command line; a text is read as a number where one is needed.

        Raises:
            ValueError: it is no number of this unit.
        """
        if self.unit is None:
            return plain
        return parse_amount(plain, self.unit) if self.may_be_range else parse_number(plain, self.unit)

    def read(self, plain: Any) -> Any:
        """Return what `parse` does, within the bounds.

        Raises:
            ValueError: it is no number of this unit, or outside of them.
        """
        value = self.parse(plain)
        if self.may_be_range:
            return value
        broken = self.bounds.broken(value)
        if broken:
            raise ValueError(f"input should be {broken}, found {value!r}")
        if not value <= LARGEST:
            raise ValueError(f"{value!r} cannot be used; allowed: a number up to 1e15")
        return value

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of what `read` reads."""
        if self.unit is None:
            return {"type": "integer", **self.bounds.schema}
        return amount_schema(self.unit) if self.may_be_range else number_schema(self.unit, self.bounds.schema)

    def check(self, value: Any, name: str = "") -> None:
        """Check the value of a call from Python; `name` is how it is called in errors.

        Raises:
            ConfigurationError: it cannot be used.
        """
        name = name or self.name
        if (value is None and self.optional) or (isinstance(value, Range) and self.may_be_range):
            return
        if value is None:
            raise ConfigurationError(f"{name} is None; leave it out, and its default counts")
        if self.kind is date and not isinstance(value, date):
            raise ConfigurationError(f"{name} is {value!r}; a date is needed, such as datetime.date(2027, 3, 1)")
        if get_origin(self.kind) is Literal and value not in get_args(self.kind):
            raise ConfigurationError(f"{name} is {value!r}; {did_you_mean(str(value), get_args(self.kind))}")
        if self.kind is int and (not _is(value, int) or self.bounds.broken(value)):
            least = f"it must be a whole number of at least {self.bounds.least:g}"
            allowed = f"allowed: {self.bounds.allowed}" if self.bounds.allowed else least
            raise ConfigurationError(f"{name} is {value!r}; {allowed}")
        if self.unit is not None:
            if not _is(value, Real) or self.bounds.broken(value):
                or_range = ", or a range: advisor.Range(5, 20)" if self.may_be_range else ""
                raise ConfigurationError(f"{name} is {value!r}; allowed: {self.bounds.words}{or_range}")
            refuse_negative(name, value)

    def as_typed(self, value: Any) -> list[str]:
        """Return what stands after the flag, once for each time that it is typed; a switch is empty."""
        if isinstance(value, bool):
            return [""]
        if isinstance(value, Mapping):
            return [f"{name}={one}" for name, one in value.items()]
        return [typed(one) for one in value] if isinstance(value, tuple) else [typed(value)]


@cache
def declared_options(kind: Any) -> Mapping[str, Option]:
    """Return the options of a dataclass by the names of its fields."""
    found = {}
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        if get_origin(hints[field.name]) is Annotated:
            bare, *extras = get_args(hints[field.name])
            for one in extras:
                if isinstance(one, Option):
                    flags = (_flag_of(field.name),) if one.flags is None else one.flags
                    required = field.default is MISSING and field.default_factory is MISSING
                    optional = NoneType in get_args(bare)
                    kept = {"name": field.name, "flags": flags, "kind": _without_none(bare), "required": required}
                    found[field.name] = replace(one, **kept, optional=optional)
    return found


def named_options(**options: Option) -> dict[str, Option]:
    """Return options that no dataclass holds, each under its name, and with a flag of that name."""
    return {
        name: replace(one, name=name, flags=(_flag_of(name),) if one.flags is None else one.flags)
        for name, one in options.items()
    }


def _flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _without_none(hint: Any) -> Any:
    """Return ``X`` for ``X | None``, and ``float | Range`` as it is."""
    some = [one for one in get_args(hint) if one is not NoneType]
    return some[0] if NoneType in get_args(hint) and len(some) == 1 else hint


def _is(value: Any, kind: type) -> bool:
    """Return whether `value` is a number of this kind; a truth value is none."""
    return isinstance(value, kind) and not isinstance(value, bool)


def validate_options(options: Any, called: str = "") -> None:
    """Check every option that `options` holds, from its ``__post_init__``; `called` stands before names in errors.

    Raises:
        ConfigurationError: one cannot be used.
    """
    kind: Any = type(options)
    for name, one in declared_options(kind).items():
        one.check(getattr(options, name), called + name)


def typed_flags(options: Any) -> list[tuple[str, str]]:
    """Return the flags, each with its value as it is typed, that say again where `options` differ from the defaults.

    A switch has no value. What no figure depends on (`Option.repeated`) and what has no flag is left out.
    """
    kind: Any = type(options)
    usual = kind()
    return [
        (one.flag, text)
        for name, one in declared_options(kind).items()
        if one.repeated and one.flag and not one.argument and getattr(options, name) != getattr(usual, name)
        for text in one.as_typed(getattr(options, name))
    ]
