"""A comparison written down as YAML; the keys are the flags of ``advisor compare``.

    evalset: my-evalset
    strategies: [few_shot, "rag(k=3)", fine_tuning]
    limit: 100
    economics:
      requests_per_month: [5000, 20000]     # a number, or a 90 % range
      usd_per_correct_answer: 0.40

An unknown key is an error with the nearest name. `json_schema` is published as ``docs/comparison.schema.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from advisor._util import files
from advisor._util.strict_yaml import StrictLoader
from advisor.core.errors import ConfigurationError, did_you_mean
from advisor.economics.amounts import LARGEST, SMALLEST, Range
from advisor.economics.inputs import Economics
from advisor.economics.prices import Prices

MAX_BYTES = 1_000_000


def parse_amount(value: Any) -> float | Range:
    """Read a number, ``low..high``, ``[low, high]`` or ``{low:, high:}``; a pair is a 90 % range.

    Raises:
        ValueError: it is none of these, negative, too large or too small, or not in order.
    """
    ends: Any = value
    if isinstance(value, Range):
        ends = [value.low, value.high]
    elif isinstance(value, str):
        ends = value.replace("_", "").split("..") if ".." in value else value.replace("_", "")
    elif isinstance(value, Mapping) and set(value) == {"low", "high"}:
        ends = [value["low"], value["high"]]
    try:
        if isinstance(value, bool):
            raise TypeError("a truth value is no amount")
        numbers = [float(end) for end in ends] if isinstance(ends, list | tuple) else [float(ends)]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    single = not isinstance(ends, list | tuple)
    if single and numbers and 0 <= numbers[0] <= LARGEST:
        return numbers[0]
    if not single and len(numbers) == 2 and SMALLEST <= numbers[0] <= numbers[1] <= LARGEST:
        return Range(*numbers)
    raise ValueError(
        f"{value!r} is neither a number from 0 to 1e15 nor a range such as 5000..20000 (low end first, both from 1e-12 "
        "to 1e15)"
    )


AMOUNT_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 2, "maxItems": 2},
        {"type": "string", "pattern": r"^[0-9_.e+]+\.\.[0-9_.e+]+$"},
    ]
}


def _usable(value: float) -> float:
    if not value <= LARGEST:
        raise ValueError(f"{value!r} cannot be used; allowed: a number up to 1e15")
    return value


AmountField = Annotated[Any, BeforeValidator(parse_amount), Field(json_schema_extra=AMOUNT_SCHEMA)]
Positive = Annotated[float, Field(gt=0), AfterValidator(_usable)]
NotNegative = Annotated[float, Field(ge=0), AfterValidator(_usable)]
Count = Annotated[int, Field(ge=1)]


class Block(BaseModel):
    """Keys of a file; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", strict=False)


File = TypeVar("File", bound=BaseModel)


class PricesBlock(Block):
    """What a model charges, USD; leave out what is unknown."""

    usd_per_1m_input_tokens: NotNegative | None = None
    usd_per_1m_cached_input_tokens: NotNegative | None = None
    usd_per_1m_output_tokens: NotNegative | None = None
    usd_per_1m_training_tokens: NotNegative | None = None
    usd_per_hour: NotNegative | None = None
    hosting_usd_per_month: NotNegative = 0.0
    source: str = "the comparison's own file"


class EconomicsBlock(Block):
    """The user's side of the money; every default is printed in the report as an assumption."""

    requests_per_month: AmountField | None = None
    usd_per_correct_answer: AmountField | None = None
    horizon_months: Positive | None = None
    margin: Annotated[float, Field(ge=0, lt=1)] | None = None
    target_quality: Annotated[float, Field(ge=0, le=1)] | None = None
    usd_per_hour: NotNegative | None = None
    utilisation: Annotated[float, Field(gt=0, le=1)] | None = None
    prices: PricesBlock | None = None
    tuned_prices: PricesBlock | None = None
    usd_per_label: AmountField | None = None
    engineering_hours: AmountField | None = None
    usd_per_engineering_hour: NotNegative | None = None
    retrains_per_year: NotNegative | None = None
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    false_yes: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    batch_discount: Annotated[float, Field(ge=0, lt=1)] | None = None
    hosting_usd_per_hour: NotNegative | None = None
    unmerged_slowdown: Annotated[float, Field(ge=1), AfterValidator(_usable)] | None = None
    base_model_shutdown: date | None = None

    def build(self) -> Economics:
        """Return the core's `Economics`, its defaults where nothing is said."""
        given = {name: getattr(self, name) for name in self.model_fields_set if getattr(self, name) is not None}
        for name in ("prices", "tuned_prices"):
            if name in given:
                given[name] = Prices(**given[name].model_dump())
        return Economics(**given)


def _empty_block(value: Any) -> Any:
    """Read a block whose lines are all commented out as one without keys."""
    return {} if value is None else value


class ComparisonFile(Block):
    """One comparison; every key is the flag of the same name."""

    evalset: Annotated[str, Field(min_length=1)] | None = None
    model: Annotated[str, Field(min_length=1)] | None = None
    strategies: list[Annotated[str, Field(min_length=1)]] | None = None
    columns: dict[str, str] | None = None
    seeds: Count | None = None
    limit: Count | None = None
    train_limit: Count | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    jobs: Count | None = None
    draws: Annotated[int, Field(ge=100)] | None = None
    budget_usd: Positive | None = None
    offline: bool | None = None
    learning_curve: bool | None = None
    checks: Literal["none", "quick", "full"] | None = None
    suite: Annotated[str, Field(min_length=1)] | None = None
    retention_margin: Annotated[float, Field(gt=0, lt=1)] | None = None
    output: list[str] | None = None
    economics: Annotated[EconomicsBlock, BeforeValidator(_empty_block)] = Field(default_factory=EconomicsBlock)


def read_comparison(path: str | Path) -> ComparisonFile:
    """Read a comparison's YAML file.

    Raises:
        ConfigurationError: it is missing, not YAML, or a key or value is not allowed; names file, line or key.
    """
    return check_comparison(read_yaml(path, "comparison file", hint=f"advisor init comparison {path}"), str(path))


def read_yaml(path: str | Path, what: str, *, hint: str = "") -> Any:
    """Return the plain values of a YAML file, an empty one as no keys; `what` it is called in errors.

    Raises:
        ConfigurationError: it is missing, too large or not YAML.
    """
    try:
        text = files.read_bounded(Path(path), MAX_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, files.UnusableFileError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else reason
        raise ConfigurationError(f"the {what} {str(path)!r} cannot be read: {reason}", hint=hint) from error
    loader = None
    try:
        loader = StrictLoader(text)
        plain = loader.get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, OverflowError) as error:
        said = " ".join(str(error).split())[:400]
        raise ConfigurationError(f"{str(path)!r} is not YAML: {said}") from error
    finally:
        if loader is not None:
            loader.dispose()
    return {} if plain is None else plain


def check_comparison(
    plain: Any, where: str = "the comparison", spelled: Mapping[str, str] | None = None
) -> ComparisonFile:
    """Check a comparison given as plain values; `where` is named in errors, and keys as they are `spelled` there.

    Raises:
        ConfigurationError: a key or a value is not allowed.
    """
    return check_keys(ComparisonFile, plain, where, spelled)


def check_keys(kind: type[File], plain: Any, where: str, spelled: Mapping[str, str] | None = None) -> File:
    """Check plain values against the keys of `kind`; see `check_comparison`.

    Raises:
        ConfigurationError: a key or a value is not allowed.
    """
    if not isinstance(plain, Mapping):
        raise ConfigurationError(f"{where}: keys with values are needed, found a {type(plain).__name__}")
    try:
        return kind.model_validate(dict(plain))
    except ValidationError as error:
        found = error.errors()
        said = "; ".join(_say(problem, spelled or {}, kind) for problem in found)
        raise ConfigurationError(f"{where}: {said}") from error


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a comparison file."""
    schema = ComparisonFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "tuneworthy comparison"}


def _say(problem: Mapping[str, Any], spelled: Mapping[str, str], kind: type[BaseModel]) -> str:
    path: Sequence[Any] = problem["loc"]
    key = ".".join(str(part) for part in path)
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {did_you_mean(str(path[-1]), _block_at(kind, path[:-1]).model_fields)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    found = "" if problem["type"] in ("value_error", "missing") else f", found {problem['input']!r}"
    return f"{spelled.get(key, key)}: {message[0].lower() + message[1:]}{found}"


def _block_at(kind: type[BaseModel], path: Sequence[Any]) -> type[BaseModel]:
    """Return the block of keys at `path` inside `kind`; a block may be optional."""
    for part in path:
        annotation = kind.model_fields[str(part)].annotation
        options = (annotation, *get_args(annotation))
        kind = next(one for one in options if isinstance(one, type) and issubclass(one, BaseModel))
    return kind
