"""Choosing among ways of asking, on dev and by the eval set's own metric; test is never seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from advisor import Completion, Context, Example, Input, Metric

from .labels import LabelLists, Listing
from .prompts import tidy

Answering = Callable[[Sequence[Input]], Sequence[Completion]]
DevScores = dict[str, list[float | None]]
"""By candidate, the scores of the same dev examples."""


def choose_on_dev(
    candidates: Mapping[str, Answering], ctx: Context, limit: int, known: DevScores | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the name of the best candidate, and the scores for `selection`.

    All candidates are scored on the same dev examples: at most `limit`, drawn with `ctx.seed`, and only those that
    every candidate could answer, so that a time-out never counts as a wrong answer. Ties go to the candidate named
    first (write the cheapest first). With one candidate, or without dev, nothing is asked.

    `known` remembers the scores of candidates by name, for a choice in several steps: those in it are not asked again.
    """
    names, dev = list(candidates), dev_sample(ctx, limit)
    if len(names) == 1 or not dev:
        return names[0], {"dev_examples": 0, "dev_scores": {}}
    memory: DevScores = {} if known is None else known
    for done, name in enumerate(names):
        if name in memory:
            continue
        ctx.progress("choosing on dev", done, len(names))
        completions = candidates[name]([example.input for example in dev])
        memory[name] = [score_of(answer, example, ctx) for answer, example in zip(completions, dev, strict=True)]
    ctx.progress("choosing on dev", len(names), len(names))
    scores = {name: memory[name] for name in names}
    common = [at for at in range(len(dev)) if all(row[at] is not None for row in scores.values())]
    means = {name: mean([row[at] for at in common]) for name, row in scores.items()}
    best = max(names, key=lambda name: -1.0 if (score := means[name]) is None else score)
    return best, {"dev_examples": len(common), "dev_scores": means}


def choose_listing(
    ways: Mapping[Listing, Answering], lists: LabelLists, ctx: Context, limit: int, known: DevScores, name: str
) -> tuple[Listing, dict[str, Any]]:
    """Return which labels are to be named, and the record for `selection`; the first of equals.

    Args:
        ways: how to ask with each listing; the first is that of the candidate `name`, whose scores are `known`.
        lists: the task's labels.
        ctx: see `choose_on_dev`.
        limit: see `choose_on_dev`.
        known: see `choose_on_dev`.
        name: what the scores of the first listing are known by.
    """
    first, *others = ways
    by_name = {name: first, **{f"{name}, {one.name}": one for one in others}}
    best, record = choose_on_dev({told: ways[one] for told, one in by_name.items()}, ctx, limit, known)
    return by_name[best], {**lists.record(by_name[best]), **record}


def dev_sample(ctx: Context, limit: int) -> list[Example]:
    """Return at most `limit` dev examples drawn with `ctx.seed`, in their own order."""
    drawn = np.random.default_rng(ctx.seed).permutation(len(ctx.dev))[:limit]
    return [ctx.dev[at] for at in sorted(drawn)]


def mean_score(answers: Sequence[str], examples: Sequence[Example], metric: Metric) -> float | None:
    """Return the mean score in [0, 1] over the examples on which the metric is defined; `None` if there is none."""
    return mean([metric.score(answer, example) for answer, example in zip(answers, examples, strict=True)])


def score_of(completion: Completion, example: Example, ctx: Context) -> float | None:
    """Return the score of one answer; `None` where the call failed or the metric is undefined."""
    return None if completion.error else ctx.metric.score(tidy(completion.text, ctx.task), example)


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of what is known; `None` where nothing is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
