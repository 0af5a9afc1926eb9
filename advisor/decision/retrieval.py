"""What strategies looked up on the test split, against the documents that its examples name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from advisor.core.gold import gold_documents, holds_answer
from advisor.core.statement import Statement, say
from advisor.core.types import EvalSet, Example, Interval
from advisor.stats.intervals import binomial_interval
from advisor.stats.summaries import Group


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What one strategy showed of what the answers needed, in its first seed.

    Attributes:
        label: the strategy.
        shown: the most passages in a prompt: the k of recall@k.
        n: questions that name a document that exists.
        recall: the mean share of these documents of which something was shown; `None` without any.
        n_written: of those questions, the ones whose answer stands word for word in such a document.
        answers: the share of these whose answer stands in what was shown of them; `None` without any, and where the
            strategy does not say from where to where it showed a document.
        text: the mean share of these documents' characters that was shown; `None` as for `answers`.
        left_out: questions for which found passages had no room in the prompt.
    """

    label: str
    shown: int
    n: int
    recall: Interval | None
    n_written: int
    answers: Interval | None
    text: float | None
    left_out: int


@dataclass(frozen=True, slots=True)
class _Look:
    """One question's share of gold documents found, whether its answer was shown, the share of their text shown."""

    recall: float
    answer: bool | None
    text: float | None


def retrievals(groups: Sequence[Group], evalset: EvalSet) -> tuple[Retrieval, ...]:
    """Return one for every strategy whose traces name documents of the eval set as `retrieved`."""
    texts = {document.id: document.text for document in evalset.docs}
    if not texts:
        return ()
    test = {example.id: example for example in evalset.test}
    found = []
    for group in groups:
        traces = list(_traces(group, texts))
        if traces:
            field = evalset.gold_document_field
            found.append(_retrieval(group.label, [(test[name], trace) for name, trace in traces], field, texts))
    return tuple(found)


def told(one: Retrieval) -> Statement:
    """Return what one strategy showed of what was needed."""
    if one.recall is None:
        return say("retrieval.no_gold", label=one.label)
    more = []
    if one.answers is not None:
        more.append(say("retrieval.answers", share=one.answers.estimate, n=one.n_written))
    if one.text is not None:
        more.append(say("retrieval.text", share=one.text))
    if one.left_out:
        more.append(say("retrieval.left_out", n=one.left_out))
    return say("retrieval.found", label=one.label, shown=one.shown, recall=one.recall, n=one.n, more=tuple(more))


def _traces(group: Group, texts: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the traces of answers that say what was retrieved; none where nothing of it is a document."""
    outcomes = group.answered[0].outcomes if group.answered else ()
    kept = [(one.example_id, one.trace) for one in outcomes if isinstance(one.trace.get("retrieved"), list | tuple)]
    if any(str(name) in texts for _, trace in kept for name in trace["retrieved"]):
        yield from kept


def _retrieval(
    label: str, traces: Sequence[tuple[Example, Mapping[str, Any]]], field: str, texts: Mapping[str, str]
) -> Retrieval:
    named = [(example, gold, trace) for example, trace in traces if (gold := gold_documents(example, field, texts))]
    looks = [_look(example, gold, trace, texts) for example, gold, trace in named]
    written = [look.answer for look in looks if look.answer is not None]
    known = [look.text for look in looks if look.text is not None]
    return Retrieval(
        label=label,
        shown=max(len(trace["retrieved"]) for _, trace in traces),
        n=len(looks),
        recall=_share([look.recall for look in looks]),
        n_written=len(written),
        answers=_share([float(answer) for answer in written]),
        text=fmean(known) if known else None,
        left_out=sum(bool(trace.get("left_out")) for _, trace in traces),
    )


def _look(example: Example, gold: Sequence[str], trace: Mapping[str, Any], texts: Mapping[str, str]) -> _Look:
    names = [str(name) for name in trace["retrieved"]]
    recall = len(set(names).intersection(gold)) / len(gold)
    spans = _spans(trace.get("spans"), len(names))
    if spans is None:
        return _Look(recall, None, None)
    shown = {name: [span for one, span in zip(names, spans, strict=True) if one == name] for name in gold}
    length = sum(len(texts[name]) for name in gold)
    seen = sum(_covered(shown[name], len(texts[name])) for name in gold)
    answer = None
    if holds_answer(example, [texts[name] for name in gold]):
        answer = holds_answer(example, [texts[name][slice(*span)] for name in gold for span in shown[name]])
    return _Look(recall, answer, seen / length if length else 1.0)


def _covered(spans: Sequence[Sequence[int]], length: int) -> int:
    """Return how many of `length` characters lie in at least one span."""
    seen = end = 0
    for first, last in sorted((start, min(stop, length)) for start, stop in spans):
        seen += max(0, last - max(first, end))
        end = max(end, last)
    return seen


def _spans(said: Any, count: int) -> Sequence[Sequence[int]] | None:
    """Return what a strategy says of where it showed `count` documents; `None` where it is not that."""
    pairs: Sequence[Any] = said if isinstance(said, list | tuple) and len(said) == count else [None]
    sound = all(
        isinstance(one, list | tuple) and len(one) == 2 and all(isinstance(at, int) and at >= 0 for at in one)
        for one in pairs
    )
    return pairs if sound else None


def _share(values: Sequence[float]) -> Interval | None:
    """Return the mean of shares with an interval; exact where each is 0 or 1, and too wide where some lie between."""
    if not values:
        return None
    mean = fmean(values)
    low, high = binomial_interval(round(sum(values)), len(values))
    return Interval(mean, min(low, mean), max(high, mean), method="Clopper-Pearson")
