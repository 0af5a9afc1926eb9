"""From the word after ``--model`` to a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path

from advisor.core import registry
from advisor.core.errors import ConfigurationError, ModelError
from advisor.core.model import Model
from advisor.core.paths import expanded
from advisor.core.progress import Progress, silent

EMBEDDED = "smollm2"
ALLOWED = (
    EMBEDDED,
    "hf:org/name",
    "a folder with weights",
    "openai:NAME",
    "http://host/v1#NAME",
    "scripted:path/to/file.py:function",
    "path/to/file.py:Class",
)
_BEGINNINGS = {
    "smollm2": "smollm2",
    "hf": "hf:{rest}",
    "openai": "openai:{rest}",
    "http": "http:{rest}",
    "https": "https:{rest}",
    "scripted": "scripted:{rest}",
}


def open_model(spec: str, *, jobs: int = 8, offline: bool = False, progress: Progress = silent) -> Model:
    """Open the model that `spec` names; nothing heavy is imported for the kinds that are not asked for.

    Args:
        spec: ``smollm2`` (embedded), ``hf:org/name``, a folder with weights, ``openai:NAME``, ``http://host/v1#NAME``,
            ``scripted:path/to/file.py:function`` (a function, a table or a model in a file), or your own class
            (``path/to/file.py:Class``, ``package.module:Class``, a plug-in's name).
        jobs: calls in flight at the same time, for endpoints.
        offline: refuse endpoints that are not on this machine.
        progress: where loading says how far it is.

    Raises:
        ConfigurationError: there is no such kind of model.
        ModelError: the model cannot be loaded, or an endpoint's key is missing.
    """
    spec = spec.strip()
    if spec.startswith("~"):
        spec = str(expanded(spec))
    kind, colon, rest = spec.partition(":")
    if kind in ("http", "https") and colon:
        url, _, name = spec.partition("#")
        return _endpoint(url, name, jobs, offline)
    if kind == "openai" and colon:
        return _endpoint("", rest, jobs, offline)
    if kind == "scripted" and colon:
        return _scripted(rest)
    if spec == EMBEDDED or (kind == "hf" and colon and rest) or (spec and Path(spec).is_dir()):
        from advisor.models.local.model import open_local

        return open_local(spec, progress=progress)
    return _own(spec)


def _endpoint(url: str, name: str, jobs: int, offline: bool) -> Model:
    from advisor.models.endpoint.client import OPENAI_URL, Address, EndpointOptions
    from advisor.models.endpoint.model import EndpointModel

    address = Address(url or OPENAI_URL)
    if not name.strip():
        typed = f"{address.url}#NAME" if url else "openai:NAME"
        raise ConfigurationError(f"which model at {address.host}? Its name is missing", hint=f"--model {typed}")
    if offline and not address.is_loopback:
        raise ConfigurationError(
            f"the model {name!r} is at {address.host}, and no network may be used (--offline)",
            hint=f"leave out --offline, or use --model {EMBEDDED}",
        )
    return EndpointModel(name, url=address.url, options=EndpointOptions(jobs=jobs))


def _scripted(place: str) -> Model:
    """Open a function, a table or a ready model in a Python file. The file is run: it is your code."""
    from advisor.models.scripted import ScriptedModel

    if not re.fullmatch(r".+\.py:\w+(\.\w+)*", place):
        raise ConfigurationError(
            f"'scripted:{place}' names no function in a file", hint="--model scripted:path/to/file.py:function"
        )
    found = registry.load("models", place, origin="user")
    if isinstance(found, Mapping):
        return ScriptedModel(found)
    if isinstance(found, Model) and not isinstance(found, type):
        return found
    if isinstance(found, Callable) and not isinstance(found, type):  # type: ignore[arg-type]
        return ScriptedModel(found)
    raise ConfigurationError(
        f"'scripted:{place}' is a {type(found).__name__}; a function of one Request, a table of answers by question, "
        "or a model is needed"
    )


def _own(spec: str) -> Model:
    """Open a model class of the user's, or of a plug-in."""
    target = spec.partition("(")[0]
    named = {entry.name for entry in registry.names("models")}
    if target in named or re.fullmatch(r".+\.py(:\w+)?|\w+(\.\w+)+:\w+", target):
        made = registry.make("models", spec, origin="user")
        if not isinstance(made, Model):
            raise ModelError(f"{spec!r} is no model: it has no tune; one that cannot be tuned raises ModelError there")
        return made
    raise ConfigurationError(
        f"there is no model {spec!r}; {_nearest(spec)}allowed are: {', '.join((*ALLOWED, *sorted(named)))}",
        hint=f"to use the model that comes along: --model {EMBEDDED}",
    )


def _nearest(spec: str) -> str:
    """Guess what was meant: a mistyped beginning, a bare OpenAI name, a bare Hugging Face name."""
    kind, _, rest = spec.partition(":")
    if re.match(r"(gpt|chatgpt|o\d|ft)\b", spec):
        return f"did you mean 'openai:{spec}'? "
    if re.fullmatch(r"[\w.-]+/[\w.-]+", spec):
        return f"did you mean 'hf:{spec}'? (a folder of that name is not there) "
    close = get_close_matches(kind.lower(), _BEGINNINGS, n=1, cutoff=0.6)
    return f"did you mean {_BEGINNINGS[close[0]].format(rest=rest or 'NAME')!r}? " if close else ""
