"""A comparison written down as YAML; the keys are the flags of ``advisor compare``.

    evalset: my-evalset
    strategies: [few_shot, "rag(k=3)", fine_tuning]
    limit: 100
    economics:
      requests_per_month: [5000, 20000]     # a number, or a 90 % range
      usd_per_correct_answer: $0.40         # so are 20k, 1.5M, and for a share 40%

The keys are the options of `ComparisonRequest` and `Economics`; an unknown one is an error with the nearest name.
`json_schema` is published as ``docs/comparison.schema.json``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)

from advisor._util import files
from advisor._util.files import exists
from advisor._util.strict_yaml import StrictLoader
from advisor.core.brought_code import BroughtCode, collect
from advisor.core.errors import ConfigurationError, did_you_mean
from advisor.core.paths import expanded
from advisor.core.registry import leads_to_code
from advisor.core.specs import Spec
from advisor.decision.request import ComparisonRequest
from advisor.economics.definition import Option, declared_options
from advisor.economics.inputs import Economics
from advisor.economics.prices import Prices

MAX_BYTES = 1_000_000

Said = dict[str, Any]
"""What a file or a command line says, by key; a block of keys is a mapping of its own."""


class Block(BaseModel):
    """Keys of a file; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", strict=False)


def block(name: str, text: str, options: Mapping[str, Option], **more: Any) -> type[Block]:
    """Return a block with one key an option, and `more`; what is not required may be left out, or be empty."""
    keys: dict[str, Any] = {key: (kind | None, None) for key, kind in more.items()}
    for key, one in options.items():
        if one.required:
            keys[key] = (_kind(one), Field(description=one.help))
        elif one.in_file:
            keys[key] = (_kind(one) | None, Field(None, description=one.help or None))
    return create_model(name, __base__=Block, __doc__=text, **keys)


def _kind(one: Option) -> Any:
    """Return what pydantic reads for an option."""
    if one.unit is not None:
        return Annotated[Any, BeforeValidator(one.read), WithJsonSchema(one.schema)]
    if one.kind is int:
        return Annotated[int, AfterValidator(one.read), WithJsonSchema(one.schema)]
    if get_origin(one.kind) is tuple:
        return list[TEXT]
    if get_origin(one.kind) is Mapping:
        return dict[str, str]
    return TEXT if one.kind is str else one.kind


TEXT = Annotated[str, Field(min_length=1)]

PRICES = block(
    "PricesBlock",
    "What a model charges, USD; leave out what is unknown.",
    declared_options(Prices),
    source=str,
)
ECONOMICS = block(
    "EconomicsBlock",
    "The user's side of the money; every default is printed in the report as an assumption.",
    declared_options(Economics),
    prices=PRICES,
    tuned_prices=PRICES,
)
COMPARISON = block(
    "ComparisonFile",
    "One comparison; every key is the flag of the same name.",
    declared_options(ComparisonRequest),
    output=list[str],
    economics=ECONOMICS,
)


def options_of(said: Said, config: str = "") -> ComparisonRequest:
    """Return the options that are said, the defaults for everything else; `config` is the file they were read from.

    Raises:
        ConfigurationError: two of them contradict each other.
    """
    chosen = {name: value for name, value in said.items() if name in declared_options(ComparisonRequest)}
    if "strategies" in chosen:
        chosen["strategies"] = tuple(chosen["strategies"])
    return ComparisonRequest(**chosen, economics=economics_of(said.get("economics", {})), config=config)


def economics_of(said: Said) -> Economics:
    """Return the money side that is said, the defaults for everything else.

    Raises:
        ConfigurationError: two of its amounts contradict each other.
    """
    given = dict(said)
    for name in ("prices", "tuned_prices"):
        if name in given:
            given[name] = Prices(**{"source": "the comparison's own file", **given[name]})
    return Economics(**given)


def merged(file: Said, flags: Said) -> Said:
    """Return what both say; flags win."""
    economics = {**file.get("economics", {}), **flags.get("economics", {})}
    return {**file, **flags, "economics": economics}


def read_comparison(path: str | Path) -> Said:
    """Read a comparison's YAML file.

    Raises:
        ConfigurationError: it is missing, not YAML, or a key or value is not allowed; names file, line or key.
    """
    return validate_comparison(read_yaml(path, "comparison file", hint=f"advisor init comparison {path}"), str(path))


def read_yaml(path: str | Path, what: str, *, hint: str = "") -> Any:
    """Return the plain values of a YAML file, an empty one as no keys; `what` it is called in errors.

    Raises:
        ConfigurationError: it is missing, too large or not YAML.
    """
    try:
        text = files.read_bounded(expanded(path), MAX_BYTES).decode("utf-8-sig")
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


def code_named_by(file: Said, flags: Said) -> BroughtCode | None:
    """Return the code that a comparison file names and the command line does not; `None` if there is none.

    Strategies and models of one's own are code, and a file may come from anybody: it is asked about once, like what an
    eval set brings.
    """
    said = [file[key] for key in ("evalset", "model", "strategies") if key in file and key not in flags]
    found = dict.fromkeys(name for value in said for name in _code_in(value))
    if not found:
        return None
    sources: dict[str, bytes] = {}
    for name in found:
        place = expanded(f"{name.rpartition('.py')[0]}.py").absolute()
        if ".py" in name and exists(place):  # that there is none is said where it is looked for
            collect(Path("/"), place.relative_to("/"), sources)
    sources = {f"/{name}": source for name, source in sources.items()}
    modules = tuple(name for name in found if ".py" not in name)
    return BroughtCode(Path(), sources, tuple(map(str, said)), modules=modules, what="this comparison file names code")


def _code_in(value: Any) -> Iterator[str]:
    """Yield what leads to code in a specification, also in the parameters: a strategy may open a second model."""
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, list | tuple):
        for one in value:
            yield from _code_in(one)
    elif isinstance(value, str) and value.strip():
        spec = Spec.parse(value) if value.strip().endswith(")") else Spec(value.strip(), {})
        target = spec.target.removeprefix("scripted:")
        scheme = re.match(r"(https?|openai|hf|public):", target)
        if leads_to_code(target) and not scheme:
            yield target
        yield from _code_in(list(spec.params.values()))


def validate_comparison(plain: Any, where: str = "the comparison", spelled: Mapping[str, str] | None = None) -> Said:
    """Check a comparison given as plain values; `where` is named in errors, and keys as they are `spelled` there.

    Raises:
        ConfigurationError: a key or a value is not allowed.
    """
    return validate_keys(COMPARISON, plain, where, spelled)


def validate_keys(kind: type[Block], plain: Any, where: str, spelled: Mapping[str, str] | None = None) -> Said:
    """Check plain values against the keys of `kind`, and return what is said; see `validate_comparison`.

    Raises:
        ConfigurationError: a key or a value is not allowed.
    """
    if not isinstance(plain, Mapping):
        raise ConfigurationError(f"{where}: keys with values are needed, found a {type(plain).__name__}")
    try:
        return _said(kind.model_validate(dict(plain)))
    except ValidationError as error:
        found = error.errors()
        said = "; ".join(_say(problem, spelled or {}, kind) for problem in found)
        raise ConfigurationError(f"{where}: {said}") from error


def _said(keys: BaseModel) -> Said:
    given = {name: getattr(keys, name) for name in type(keys).model_fields if name in keys.model_fields_set}
    return {
        name: _said(value) if isinstance(value, BaseModel) else value
        for name, value in given.items()
        if value is not None
    }


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a comparison file."""
    schema = COMPARISON.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "tuneworthy comparison"}


def _say(problem: Mapping[str, Any], spelled: Mapping[str, str], kind: type[BaseModel]) -> str:
    path: Sequence[Any] = problem["loc"]
    key = ".".join(str(part) for part in path)
    named = ".".join(part for part in path if isinstance(part, str))
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {did_you_mean(str(path[-1]), _block_at(kind, path[:-1]).model_fields)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    found = "" if problem["type"] in ("value_error", "missing") else f", found {problem['input']!r}"
    return f"{spelled.get(named, key)}: {message[0].lower() + message[1:]}{found}"


def _block_at(kind: type[BaseModel], path: Sequence[Any]) -> type[BaseModel]:
    """Return the block of keys at `path` inside `kind`; a block may be optional."""
    for part in path:
        annotation = kind.model_fields[str(part)].annotation
        options = (annotation, *get_args(annotation))
        kind = next(one for one in options if isinstance(one, type) and issubclass(one, BaseModel))
    return kind
