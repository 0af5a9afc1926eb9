"""Runs strategies on nested parts of the training examples, for learning curves (docs/method.md, "Learning curves")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from advisor.core import registry
from advisor.core.errors import ConfigurationError
from advisor.core.progress import strategy_finished, strategy_started
from advisor.core.strategy import Strategy, traits_of
from advisor.core.types import EvalSet, Task
from advisor.runs import runner
from advisor.stats.curve_points import SizedRun

SIZES = 5
SEEDS = 3
SMALLEST_PART, FEWEST = 16, 4
"""The smallest size is a 16th of the training examples, and not under 4 examples."""
MOST_OF_A_KIND = 2
FREE_KINDS = ("floor", "classifier")
"""Strategies of these kinds ask no model, so other choices of examples are tried although no seed changes an answer."""


@dataclass(frozen=True, slots=True)
class Part:
    """One run to make: what `spec` names, with one seed, on `size` training examples."""

    spec: str
    seed: int
    size: int

    def of(self, evalset: EvalSet, first_seed: int) -> EvalSet:
        """Return the eval set to run on; the seed counted from `first_seed` settles which examples are taken."""
        return evalset.learning_from(self.size, self.seed - first_seed)


@dataclass(frozen=True, slots=True)
class Parts:
    """All that has to be run for the learning curves beside the comparison itself; nothing has been run.

    Attributes:
        strategies: the specifications that get a curve.
        parts: in order: by strategy, then size, then seed.
        left_out: why other strategies that learn from examples get none, by specification.
    """

    strategies: tuple[str, ...]
    parts: tuple[Part, ...]
    left_out: Mapping[str, str]


def sizes_for(examples: int) -> tuple[int, ...]:
    """Return at most `SIZES` training sizes in equal ratios, the last being all `examples`."""
    first = min(examples, max(FEWEST, round(examples / SMALLEST_PART)))
    return tuple(sorted({round(float(size)) for size in np.geomspace(first, examples, SIZES)}))


def plan_parts(strategies: Sequence[str], evalset: EvalSet, *, seed: int, seeds: int) -> Parts:
    """Settle which strategies get a curve, and what is to be run for it.

    A strategy gets one unless it says that training examples change no answer of it (`learns`); of one kind the first
    `MOST_OF_A_KIND` that were named, so that ten variants of a prompt do not take ten times as long. At least `SEEDS`
    seeds where they can change an answer or cost no calls, else one. At the largest size the comparison's own runs are
    used; only seeds that it lacks are added.

    Args:
        strategies: specifications, in the order in which they run.
        evalset: the whole one.
        seed: the first seed.
        seeds: how many the comparison runs.
    """
    task, chosen, left_out = Task.of(evalset), list[str](), dict[str, str]()
    kinds: dict[str, int] = {}
    parts: list[Part] = []
    for spec in strategies:
        strategy: Strategy = registry.make("strategies", spec, origin="user")
        if not learns_from_examples(strategy, spec, task):
            continue
        kind = traits_of(strategy).kind
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > MOST_OF_A_KIND:
            left_out[spec] = f"only the first {MOST_OF_A_KIND} strategies of kind {kind} get a learning curve"
            continue
        chosen.append(spec)
        parts += _parts_of(spec, strategy, sizes_for(len(evalset.train)), seed=seed, seeds=seeds)
    return Parts(tuple(chosen), tuple(parts), left_out)


def _parts_of(spec: str, strategy: Strategy, sizes: Sequence[int], *, seed: int, seeds: int) -> list[Part]:
    traits = traits_of(strategy)
    stochastic = traits.stochastic
    many = max(SEEDS, seeds) if stochastic or traits.kind in FREE_KINDS else 1
    parts = [Part(spec, seed + at, size) for size in sizes[:-1] for at in range(many)]
    missing = range(seeds, many) if stochastic else ()
    return parts + [Part(spec, seed + at, sizes[-1]) for at in missing]


def learns_from_examples(strategy: Strategy, spec: str, task: Task) -> bool:
    """Ask a strategy whether training examples can change its answers on `task`; one that does not say so learns.

    Raises:
        ConfigurationError: its `learns` breaks; only the user's own can.
    """
    try:
        return traits_of(strategy).learns(task)
    except Exception as error:
        raise ConfigurationError(f"{spec!r}: its learns(task) raised {type(error).__name__}: {error}") from error


def label_of_part(part: Part) -> str:
    """Return how a part is called while it runs and in a plan."""
    return f"{part.spec} seed {part.seed}, {part.size} examples"


def run_parts(parts: Parts, context: runner.RunContext, labels: Mapping[str, str], first_seed: int) -> list[SizedRun]:
    """Run all parts on `context`; what is stored is not run again, and one that breaks stops no other.

    Args:
        parts: what to run.
        context: a `runner.RunContext` of the whole eval set.
        labels: by specification, the label of the strategy's row.
        first_seed: where seeds start.
    """
    found, contexts = [], dict[tuple[int, int], runner.RunContext]()
    for at, part in enumerate(parts.parts, 1):
        strategy_started(context.progress, label_of_part(part), at, len(parts.parts))
        place = (part.size, part.seed)
        if place not in contexts:
            small = part.of(context.evalset, first_seed)
            contexts[place] = replace(context, evalset=small, pool=context.evalset.train, kept=None)
        run = runner.run_strategy(part.spec, part.seed, contexts[place])
        found.append(SizedRun(labels[part.spec], part.size, run))
        strategy_finished(context.progress, label_of_part(part), runner.note(run))
    return found
