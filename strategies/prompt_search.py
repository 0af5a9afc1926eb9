"""Searching for a prompt on labelled examples with a budget of calls: racing against the best one found so far.

A challenger is asked the first few examples, goes on only while it is ahead of the incumbent on those same examples,
and takes its place only when it has been asked all of them (the intensification of ROAR and SMAC, Hutter, Hoos and
Leyton-Brown 2011; dropping early is what makes a small budget reach many candidates). Departures: examples come in one
fixed order, and ties go to the simpler prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from advisor import Completion, Context, Example

from .choosing import mean, score_of
from .labels import Listing

Ask = Callable[["Prompt", Sequence[Example]], Sequence[Completion]]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One way of asking.

    Attributes:
        pick: `none`, `fixed` (the same examples for every question) or `nearest` (looked up for every question).
        k: how many examples are shown.
        ids: which, where they are fixed.
        instruction: in place of the task's own; `None` is the task's own.
        listing: which labels are named; `None` is the way that the search begins with.
        constrained: hold the answer to labels or schema.
        wording: what the instruction is called.
        origin: where the examples come from, in words.
    """

    pick: str
    k: int
    ids: tuple[str, ...] = ()
    instruction: str | None = None
    listing: Listing | None = None
    constrained: bool = False
    wording: str = field(default="as given", compare=False)
    origin: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """What it is called in a report."""
        shown = "no examples" if self.pick == "none" else f"{self.pick} k={self.k}"
        wording = "" if self.wording == "as given" else self.wording
        parts = [shown, self.origin, wording, "constrained" if self.constrained else ""]
        return ", ".join(part for part in parts if part)

    @property
    def effort(self) -> tuple[int, bool, bool, int]:
        """How much there is to it, least first: examples, looking them up, holding answers, words added."""
        return self.k, self.pick == "nearest", self.constrained, len(self.instruction or "")


class Trials:
    """What is known of every prompt, and the calls that are left.

    Args:
        examples: what is asked, in this order.
        ask: asks a prompt some examples.
        ctx: gives the metric.
        budget: the most calls, on these examples and on others.
    """

    def __init__(self, examples: Sequence[Example], ask: Ask, ctx: Context, budget: int) -> None:
        self.examples, self.budget, self.calls = tuple(examples), budget, 0
        self.scores: dict[Prompt, list[float | None]] = {}
        self._ask, self._ctx = ask, ctx

    @property
    def left(self) -> int:
        """How many calls are left."""
        return self.budget - self.calls

    def missing(self, prompt: Prompt, depth: int) -> int:
        """Return how many calls it takes until `prompt` has been asked the first `depth` examples."""
        return max(0, min(depth, len(self.examples)) - len(self.scores.get(prompt, ())))

    def reach(self, prompt: Prompt, depth: int) -> bool:
        """Ask `prompt` up to the first `depth` examples; ask nothing and return False where the budget is too small."""
        if self.missing(prompt, depth) > self.left:
            return False
        known = self.scores.setdefault(prompt, [])
        known += self.score(prompt, self.examples[len(known) : depth])
        return True

    def score(self, prompt: Prompt, examples: Sequence[Example]) -> list[float | None]:
        """Ask `prompt` some examples and return their scores; every one is a call.

        Raises:
            ValueError: the budget does not hold so many.
        """
        answers = self.answer(prompt, examples)
        return [score_of(answer, example, self._ctx) for answer, example in zip(answers, examples, strict=True)]

    def answer(self, prompt: Prompt, examples: Sequence[Example]) -> list[Completion]:
        """Ask `prompt` some examples; every one is a call.

        Raises:
            ValueError: the budget does not hold so many.
        """
        if len(examples) > self.left:
            raise ValueError(f"{len(examples)} calls wanted, {self.left} left")
        if not examples:
            return []
        self.calls += len(examples)
        answers = list(self._ask(prompt, examples))
        self._ctx.progress("searching for a prompt, calls", self.calls, self.budget)
        return answers

    def means(self, prompts: Sequence[Prompt], depth: int) -> list[float | None]:
        """Return the mean scores of prompts over those of the first `depth` examples that all of them answered."""
        rows = [self.scores[prompt][:depth] for prompt in prompts]
        common = [at for at, row in enumerate(zip(*rows, strict=False)) if all(score is not None for score in row)]
        return [mean([row[at] for at in common]) for row in rows]


def first_best(prompts: Sequence[Prompt], trials: Trials, depth: int) -> Prompt:
    """Return the best of some prompts on the first `depth` examples; the first of equals, and of those not asked."""
    asked = [prompt for prompt in prompts if trials.reach(prompt, depth)]
    if not asked or not depth:
        return prompts[0]
    scores = dict(zip(asked, trials.means(asked, depth), strict=True))
    return max(asked, key=lambda prompt: -1.0 if (score := scores[prompt]) is None else score)


def race(incumbent: Prompt, moves: Callable[[Prompt], Iterator[Prompt]], trials: Trials, reserve: int = 0) -> Prompt:
    """Return the best prompt that can be found with the calls that are left.

    Args:
        incumbent: where the search starts.
        moves: what to try next, given the best one so far, the most promising first; those tried before are passed by.
        trials: holds the examples and the budget.
        reserve: calls to leave.
    """
    everything = len(trials.examples)
    rungs = sorted({min(everything, max(5, -(-everything // 6))), -(-everything // 2), everything})
    tried = {incumbent, *trials.scores}
    challengers = moves(incumbent)
    while challenger := next((prompt for prompt in challengers if prompt not in tried), None):
        # One that could not be asked all examples could not win, so it is not begun.
        if trials.missing(incumbent, everything) + everything > trials.left - reserve:
            break
        tried.add(challenger)
        if _beats(challenger, incumbent, trials, rungs):
            incumbent, challengers = challenger, moves(challenger)
    return incumbent


def _beats(challenger: Prompt, incumbent: Prompt, trials: Trials, rungs: Sequence[int]) -> bool:
    for depth in rungs:
        if not (trials.reach(challenger, depth) and trials.reach(incumbent, depth)):
            return False
        new, old = trials.means((challenger, incumbent), depth)
        if new is None or old is None or new < old:
            return False
        # Equals go on for now, unless little can come of it: an incumbent that is right everywhere cannot be beaten,
        # and where it is wrong everywhere so are most others.
        decided = depth == rungs[-1] or mean(trials.scores[incumbent]) in (0.0, 1.0)
        if new == old and decided and challenger.effort >= incumbent.effort:
            return False
    return True
