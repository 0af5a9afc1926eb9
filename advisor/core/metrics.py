"""How right an answer is: in [0, 1], or `None` where that is undefined. An answer that cannot be read is wrong, 0.0.

Every metric takes the best over `example.references`. A user's own metric is any class with the same three members.
"""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from advisor.core import registry
from advisor.core.brought_code import Origin
from advisor.core.errors import ConfigurationError
from advisor.core.metric import Metric, Pairs
from advisor.core.normalisation import accepts, last_number, leaves, normalise, read_json, same_value
from advisor.core.schemas import problem, validate_schema
from advisor.core.specs import Spec
from advisor.core.tools import parse_calls
from advisor.core.types import EvalSet, Example, JSONObject, ToolCall

if TYPE_CHECKING:
    from advisor.core.types import Task


def for_task(spec: str, task: Task | EvalSet, origin: Origin = "data") -> Metric:
    """Build the metric `spec` asks for, e.g. ``label_accuracy``, for `task`.

    Its constructor is given `labels` and `schema` of the task where it takes parameters of these names.

    Args:
        spec: its name, with parameters where it takes any.
        task: what it is for.
        origin: who says `spec`; that of the eval set.

    Raises:
        RegistryError: there is no such metric, or `origin` may not name it.
        EvalSetError: it is the set's own code, and nobody agreed to run that.
    """
    built = registry.load("metrics", Spec.parse(spec).target, origin=origin)
    takes = inspect.signature(built).parameters if callable(built) else {}
    given = {name: getattr(task, name) for name in ("labels", "schema") if name in takes}
    given = {name: value for name, value in given.items() if name not in Spec.parse(spec).params}
    return cast(Metric, registry.make("metrics", spec, origin=origin, **given))


def score(metric: str, output: str, target: str) -> float | None:
    """Return how right `output` is, from 0 to 1, where `target` is the accepted answer; `None` where undefined.

    Args:
        metric: a name, e.g. ``token_f1``, with parameters where it takes any, or ``path/to/metric.py:Metric``.
        output: what was answered.
        target: what would have been right.

    Raises:
        RegistryError: there is no such metric.
        ConfigurationError: an answer is no text.
    """
    for name, value in (("output", output), ("target", target)):
        given: object = value
        if not isinstance(given, str):
            raise ConfigurationError(f"{name} is {given!r}; a text is needed", hint='advisor.score(metric, "4", "4")')
    return cast(Metric, registry.make("metrics", metric, origin="user")).score(output, Example("", "", target))


class _PerExample:
    """A metric with nothing to say beyond its mean."""

    def summarise(self, pairs: Pairs) -> dict[str, float | None]:
        """Return nothing: the mean score says it all."""
        return {}


class ExactMatch(_PerExample):
    """1 if the answer is an accepted one; articles, case and punctuation aside, figures intact.

    The normalisation is `advisor.core.normalisation.normalise`.
    """

    name = "exact_match"

    def score(self, output: str, example: Example) -> float | None:
        """Return 1.0 or 0.0."""
        given = normalise(output)
        return float(any(given == normalise(reference) for reference in example.references))


class TokenF1(_PerExample):
    """Overlap of words with the best accepted answer: the F1 of SQuAD (Rajpurkar et al. 2016)."""

    name = "token_f1"

    def score(self, output: str, example: Example) -> float | None:
        """Return the F1 over normalised words, as multisets; two empty texts agree (as in SQuAD 2.0)."""
        given = Counter(normalise(output).split())
        return max(_f1(given, Counter(normalise(reference).split())) for reference in example.references)


class NumericMatch(_PerExample):
    """1 if the last number in the answer is the accepted one, to a relative 1e-6 (1e-9 absolute around zero)."""

    name = "numeric_match"

    def score(self, output: str, example: Example) -> float | None:
        """Return 1.0 or 0.0 (also where the answer has no number); `None` if no accepted answer is a number."""
        expected = [number for reference in example.references if (number := last_number(reference)) is not None]
        if not expected:
            return None
        given = last_number(output)
        return float(given is not None and any(math.isclose(given, x, rel_tol=1e-6, abs_tol=1e-9) for x in expected))


class Contains(_PerExample):
    """1 if the answer contains an accepted one, as whole words after normalisation."""

    name = "contains"

    def score(self, output: str, example: Example) -> float | None:
        """Return 1.0 or 0.0; `None` if every accepted answer is blank."""
        wanted = [words for reference in example.references if (words := normalise(reference))]
        given = f" {normalise(output)} "
        return float(any(f" {words} " in given for words in wanted)) if wanted else None


class ChrF(_PerExample):
    """Character n-gram F-score with the best accepted answer: sacrebleu's sentence chrF (Popović 2015), over 100."""

    name = "chrf"

    def score(self, output: str, example: Example) -> float | None:
        """Return chrF / 100; `None` if every accepted answer is blank."""
        wanted = [reference for reference in example.references if reference.strip()]
        if not wanted:
            return None
        return min(1.0, max(float(self._chrf.sentence_score(output, [one]).score) for one in wanted) / 100)

    @cached_property
    def _chrf(self) -> Any:
        from sacrebleu.metrics import CHRF

        return CHRF()


class LabelAccuracy:
    """1 if the answer is the label and nothing else; case, articles and punctuation aside.

    Where that would make two of `labels` the same, labels are compared as they are written, without outer spaces.
    """

    name = "label_accuracy"

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self.labels = tuple(labels)
        folded = {normalise(label) for label in self.labels}
        self._key: Callable[[str], str] = normalise if len(folded) == len(set(self.labels)) else str.strip

    def score(self, output: str, example: Example) -> float | None:
        """Return 1.0 or 0.0."""
        given = self._key(output)
        return float(any(given == self._key(reference) for reference in example.references))

    def summarise(self, pairs: Pairs) -> dict[str, float | None]:
        """Return `accuracy`, and `macro_f1`: the mean F1 over the labels that occur as targets, each counting the same.

        An answer that is another accepted one counts as the target; an answer that is no label is wrong for its target.
        """
        answered = [(output, example) for output, example in pairs if output is not None]
        hits: Counter[str] = Counter()
        golds: Counter[str] = Counter()
        guesses: Counter[str] = Counter()
        for output, example in answered:
            gold, right = self._key(example.target), self.score(output, example) == 1.0
            golds[gold] += 1
            guesses[gold if right else self._key(output)] += 1
            hits[gold] += right
        f1 = [2 * hits[label] / (golds[label] + guesses[label]) for label in golds]
        return {"accuracy": _mean([hits[label] for label in golds], len(answered)), "macro_f1": _mean(f1)}


class JSONFields:
    """Micro F1 over the fields of a JSON answer, as path = value pairs; an answer that is not JSON scores 0.

    What counts as the same field is said at `advisor.core.normalisation.leaves`. One Markdown code fence around the
    answer is taken off; text beside it makes it no JSON.
    """

    name = "json_field_f1"

    def __init__(self, schema: JSONObject | None = None) -> None:
        if schema is not None and (wrong := validate_schema(schema)):
            raise ConfigurationError(f"the schema cannot be used: {wrong}")
        self.schema = schema

    def score(self, output: str, example: Example) -> float | None:
        """Return the F1; `None` if no accepted answer is JSON itself."""
        wanted = [fields for reference in example.references if (fields := _fields(reference)) is not None]
        if not wanted:
            return None
        given = _fields(output)
        return 0.0 if given is None else max(_f1(given, fields) for fields in wanted)

    def summarise(self, pairs: Pairs) -> dict[str, float | None]:
        """Return `validity`: the share of answers that are JSON and, where there is a schema, follow it."""
        answered = [output for output, _ in pairs if output is not None]
        return {"validity": _mean([self._valid(output) for output in answered])}

    def _valid(self, output: str) -> bool:
        try:
            value = read_json(output)
        except ValueError:
            return False
        return self.schema is None or not problem(value, self.schema)


class ToolCalls:
    """1 if the right tool is called with the right arguments.

    `metadata["ground_truth"]` (a list of ``{name: {argument: [accepted values]}}``, as BFCL has it) says what is right;
    without it the call in the target does. Where several calls are wanted, all are, in any order and none besides;
    where one is, the first call in the answer counts.
    """

    name = "tool_call_match"

    def score(self, output: str, example: Example) -> float | None:
        """Return 1.0 or 0.0 (also where the answer holds no call); `None` if the example names no call."""
        wanted = _ground_truth(example.metadata.get("ground_truth")) or _calls_in(example.references)
        if not wanted:
            return None
        given = parse_calls(output)
        return float(any(_all_met(given, checks) for checks in wanted))

    def summarise(self, pairs: Pairs) -> dict[str, float | None]:
        """Return two shares of the answers: `validity`, those that hold a call, and `right_name`.

        `right_name` counts those whose first call has the name that the target's has.
        """
        answered = [(parse_calls(output), example) for output, example in pairs if output is not None]
        named = [(calls, gold[0].name) for calls, example in answered if (gold := parse_calls(example.target))]
        return {
            "validity": _mean([bool(calls) for calls, _ in answered]),
            "right_name": _mean([bool(calls) and calls[0].name == name for calls, name in named]),
        }


_Check = Callable[[ToolCall], bool]


def _ground_truth(truth: Any) -> list[list[_Check]]:
    """Read BFCL's form as one alternative: a list of checks, all to be met."""
    if not isinstance(truth, list):
        return []
    checks: list[_Check] = []
    for entry in truth:
        for name, accepted in entry.items() if isinstance(entry, Mapping) else ():
            if isinstance(accepted, Mapping):
                checks.append(lambda call, n=name, a=accepted: call.name == n and accepts(call.arguments, a))  # type: ignore[misc]
    return [checks] if checks else []


def _calls_in(references: Iterable[str]) -> list[list[_Check]]:
    return [[_equals(gold) for gold in calls] for text in references if (calls := parse_calls(text))]


def _equals(gold: ToolCall) -> _Check:
    return lambda call: call.name == gold.name and same_value(dict(call.arguments), dict(gold.arguments))


def _all_met(calls: Sequence[ToolCall], checks: Sequence[_Check]) -> bool:
    """Is there a one-to-one assignment of calls to checks? With a single check only the first call is looked at."""
    if len(checks) == 1:
        return bool(calls) and checks[0](calls[0])
    if len(calls) != len(checks):
        return False
    owner: dict[int, int] = {}

    def place(check: int, tried: set[int]) -> bool:
        """Kuhn's augmenting path: find a call for `check`, moving others where that helps."""
        for at, call in enumerate(calls):
            if at in tried or not checks[check](call):
                continue
            tried.add(at)
            if at not in owner or place(owner[at], tried):
                owner[at] = check
                return True
        return False

    return all(place(check, set()) for check in range(len(checks)))


def _fields(text: str) -> Counter[Any] | None:
    try:
        return leaves(read_json(text))
    except (ValueError, RecursionError):
        return None


def _f1(given: Counter[Any], wanted: Counter[Any]) -> float:
    total = given.total() + wanted.total()
    return 2 * (given & wanted).total() / total if total else 1.0


def _mean(values: Sequence[float], count: int | None = None) -> float | None:
    count = len(values) if count is None else count
    return math.fsum(values) / count if count else None
