"""An optimised prompt: instruction, demonstrations and form, searched with a declared budget; nothing is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from advisor import Completion, ConfigurationError, Context, Example, Input, Message, Prediction, Task

from .choosing import mean
from .demonstrations import Neighbours, varied
from .labels import LabelLists, Listing
from .prompt_search import Prompt, Trials, first_best, race
from .prompting import GRID, FewShot
from .prompts import demonstration, predictions_of, request_for, task_messages

EPOCHS = 3
"""Passes over dev that the budget matches, at least: those of one training."""
FEW_SHOT_DEV = FewShot().dev_limit
LEAST_DEV = 20
MOST_BY_DEFAULT = 300
BOOTSTRAPPED = 20


class OptimisedPrompt:
    """Prompting: instruction, worked examples and form, searched on dev with the budget that fine-tuning has.

    The search starts from few_shot's plan, chosen as `few_shot` chooses it (on fewer examples where that would take
    more than half of the budget), and whatever replaces it scored at least as well on every dev example: the same for
    held answers (labels or schema), other counts of nearest examples, none at all, wordings of the instruction by
    rule, examples that the model gets right or wrong by itself, and other draws.

    The budget is counted in calls, and every call that `fit` makes counts. By default it is one call for each labelled
    example that one fit of `fine_tuning` looks at, dev once an epoch (3 x dev) and each training row once, but at most
    300, where 3 x dev are not more than that. So it is never less than what fine-tuning's own choice of the epoch gets.
    Calls are matched and not tokens, since how long the prompt is belongs to what is chosen; what the tokens cost is
    in the money, as is the training.

    The dev score of the winner is optimistic, as it is the best of many; the test split never chooses. It need not
    help: with `smollm2` on a folder with SMS Spam (`advisor compare sms_spam --train-limit 150 --limit 100 --strategy
    few_shot --strategy optimised_prompt`) it went from 4 to 8 nearest examples for one more of 40 dev examples (0.925
    against 0.900), and scored 0.90 [0.83, 0.95] on test; few-shot scored 0.93 [0.86, 0.97].

    Args:
        budget: the most calls that the search may make; see above for the default.
        reflection: a model (`"openai:NAME"`) that rewrites the instruction after reading mistakes (GEPA, Agrawal et al.
            2025, arXiv 2507.19457), with half of the budget; its calls are paid for like all others. Needs `gepa`.
    """

    name = "optimised_prompt"
    kind = "prompting"
    stochastic = False

    def __init__(self, budget: int | None = None, reflection: str | None = None) -> None:
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 0):
            raise ConfigurationError(
                f"optimised_prompt: budget={budget!r}; it must be a whole number of calls, 0 or more",
                hint="--strategy 'optimised_prompt(budget=200)'",
            )
        if reflection and find_spec("gepa") is None:
            raise ConfigurationError(
                f"optimised_prompt: reflection={reflection!r} needs the package gepa, which is not installed",
                hint="in the checkout: python -m pip install '.[gepa]'",
            )
        self.budget, self.reflection = budget, reflection

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Search; without dev, on a part of `train` that is held out from the worked examples."""
        self._task, self._model, self._ctx = ctx.task, ctx.model, ctx
        self._max_tokens = ctx.answer_tokens((*train, *ctx.dev))
        scored, self._pool, chosen_on = _split(train, ctx)
        self._by_id = {example.id: example for example in self._pool}
        self._neighbours = Neighbours(self._pool, ctx.index)
        self._labels = LabelLists(ctx, self._pool, self._max_tokens)
        self._listings = self._labels.listings()
        allowed = default_budget(len(scored), len(train))
        trials = Trials(scored, self._try, ctx, allowed if self.budget is None else self.budget)
        plain = self._plain_plans()
        depth = min(FEW_SHOT_DEV, len(scored), trials.budget // (2 * len(plain)))
        start = first_best(plain, trials, depth)
        found = race(start, self._moves(trials), trials, reserve=trials.left // 2 if self.reflection else 0)
        reflected: dict[str, Any] = {}
        if self.reflection:
            from .reflection import reflect

            found, reflected = reflect(found, trials, self._pool, ctx, self.reflection)
        self._prompt = found
        self.selection = {**self._record(trials, start), "chosen_on": chosen_on, **reflected}
        if len(self._pool) < len(train):  # the held-out part has done its work
            self._neighbours = Neighbours(train, ctx.index)
            self._labels = LabelLists(ctx, train, self._max_tokens)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Ask the model every question with the prompt that was found; the trace names the worked examples."""
        shown = self._shown(self._prompt, inputs)
        traces = [{"demonstrations": [example.id for example in examples]} for examples in shown]
        return predictions_of(self._ask(self._prompt, inputs, shown), self._task, traces)

    # --- asking ------------------------------------------------------------------------------------------------------

    def _try(self, prompt: Prompt, examples: Sequence[Example]) -> list[Completion]:
        """Ask labelled examples; a training example is not shown its own answer."""
        inputs = [example.input for example in examples]
        shown = self._shown(prompt, inputs, [example.id for example in examples])
        return self._ask(prompt, inputs, shown)

    def _shown(self, prompt: Prompt, inputs: Sequence[Input], own: Sequence[str] = ()) -> list[list[Example]]:
        if prompt.pick != "nearest":
            fixed = [self._by_id[name] for name in prompt.ids]
            return [[e for e in fixed if not own or e.id != own[at]] for at in range(len(inputs))]
        found = self._neighbours.nearest(inputs, prompt.k + bool(own))
        kept = [[e for e, _ in hits if not own or e.id != own[at]] for at, hits in enumerate(found)]
        return [examples[: prompt.k][::-1] for examples in kept]

    def _ask(self, prompt: Prompt, inputs: Sequence[Input], shown: Sequence[Sequence[Example]]) -> list[Completion]:
        requests = []
        labels = self._labels.shown(prompt.listing or self._listings[0], inputs)
        for input, examples, named in zip(inputs, shown, labels, strict=True):
            turns: list[Message] = [turn for example in examples for turn in demonstration(example)]
            messages = task_messages(self._task, input, turns, labels=named, instruction=prompt.instruction)
            requests.append(request_for(self._task, messages, self._max_tokens, constrained=prompt.constrained))
        return self._model.generate(requests)

    # --- what to try -------------------------------------------------------------------------------------------------

    def _plain_plans(self) -> list[Prompt]:
        """Return few_shot's plans, with the very examples that it draws."""
        most = max(k for _, k in GRID)
        drawn = self._drawn(np.random.default_rng(self._ctx.seed), most)
        plans = dict.fromkeys((way, min(k, len(self._pool))) for way, k in GRID)
        return [Prompt(way, k, drawn[:k] if way == "fixed" else ()) for way, k in plans]

    def _drawn(self, rng: np.random.Generator, k: int, among: Sequence[Example] | None = None) -> tuple[str, ...]:
        labels, pool = self._task.labels, self._pool if among is None else among
        return tuple(e.id for e in varied(pool, k, rng, lambda e: e.target if labels else e.group))

    def _moves(self, trials: Trials) -> Any:
        """Return what to try next, given the best prompt so far."""
        rng = np.random.default_rng([self._ctx.seed, 1])
        tries = max(1, trials.budget // max(5, len(trials.examples) // 6))
        restarts = [self._drawn(rng, 4 if at % 2 == 0 else 8) for at in range(tries)]
        sorted_out: list[list[Prompt]] = []

        def moves(best: Prompt) -> Iterator[Prompt]:
            for listing in self._listings[1:]:
                yield replace(best, listing=listing, wording=listing.name)
            if self._task.labels or self._task.schema:
                yield replace(best, constrained=not best.constrained)
            for pick, k in (("nearest", 8), ("none", 0), ("nearest", 2)):
                yield replace(best, pick=pick, k=min(k, len(self._pool)), ids=(), origin="")
            yield from wordings(best, self._task)
            if not sorted_out:
                sorted_out.append(self._by_difficulty(best, trials, rng))
            for plan in sorted_out[0]:
                yield replace(best, pick="fixed", k=plan.k, ids=plan.ids, origin=plan.origin)
            for at, ids in enumerate(restarts, 1):
                yield replace(best, pick="fixed", k=len(ids), ids=ids, origin=f"draw {at}")

        return moves

    def _by_difficulty(self, best: Prompt, trials: Trials, rng: np.random.Generator) -> list[Prompt]:
        """Worked examples that the model answers best by itself, and worst: it is asked some without any shown.

        Those answered right are the bootstrapped demonstrations of DSPy (Khattab et al. 2023, arXiv 2310.03714), with
        the gold answer in place of the model's own.
        """
        asked = [self._by_id[name] for name in self._drawn(rng, min(BOOTSTRAPPED, trials.left // 4))]
        alone = replace(best, pick="none", k=0, ids=(), origin="")
        scores = trials.score(alone, asked)
        known = [(score, at) for at, score in enumerate(scores) if score is not None]
        if len({score for score, _ in known}) < 2:  # all alike, so nothing is sorted out
            return []
        easy = [asked[at].id for _, at in sorted(known, key=lambda pair: (-pair[0], pair[1]))][:4]
        hard = [asked[at].id for _, at in sorted(known)][:4]
        named = (("answered right without help", easy), ("answered wrong without help", hard))
        return [Prompt("fixed", len(ids), tuple(ids), origin=origin) for origin, ids in named]

    # --- what is recorded --------------------------------------------------------------------------------------------

    def _record(self, trials: Trials, plain: Prompt) -> dict[str, Any]:
        found, everything = self._prompt, len(trials.examples)
        asked = {prompt: scores for prompt, scores in trials.scores.items() if scores}
        depth = min((len(asked.get(prompt, ())) for prompt in (found, plain)), default=0)
        new, old = trials.means((found, plain), depth) if depth else (None, None)
        return {
            "prompt": found.name,
            "pick": found.pick,
            "k": found.k,
            "demonstrations": list(found.ids),
            "wording": found.wording,
            "instruction": self._task.instruction if found.instruction is None else found.instruction,
            "constrained": found.constrained,
            **({"labels": self._labels.record(found.listing or self._listings[0])} if self._task.labels else {}),
            "constrained_tried": any(prompt.constrained for prompt in asked),
            "budget": trials.budget,
            "budget_rule": (
                "as given"
                if self.budget is not None
                else f"{EPOCHS} x {everything} examples to choose on and one for each training row, "
                f"at most {max(MOST_BY_DEFAULT, EPOCHS * everything)}"
            ),
            "fine_tuning_calls": EPOCHS * everything,
            "calls": trials.calls,
            "candidates": len(asked),
            "dev_examples": depth,
            "dev_score": new,
            "few_shot_plan": plain.name,
            "few_shot_dev_score": old,
            "dev_scores": {p.name: {"score": mean(scores), "examples": len(scores)} for p, scores in asked.items()},
        }


def default_budget(examples: int, train: int) -> int:
    """Return the calls of a search: see `OptimisedPrompt`."""
    least = EPOCHS * examples
    return max(least, min(least + train, MOST_BY_DEFAULT)) if examples else 0


def wordings(best: Prompt, task: Task) -> Iterator[Prompt]:
    """Yield the same prompt with other instructions, made by rule."""
    own = f"{task.instruction}\n" if task.instruction else ""
    yield replace(
        best,
        instruction=f"{own}Reply with the answer only, without an explanation.",
        wording="answer only",
    )
    form = "Write the answer in the same form as in the examples."
    if task.labels:
        form = "Reply with exactly one of the allowed answers, spelled as it stands there."
    elif task.output == "json" or task.schema:
        form = "Reply with one JSON object and nothing else."
    if task.labels or task.schema or task.output == "json" or best.k:
        named = replace(best, listing=None) if best.listing is not None and not best.listing.k else best
        yield replace(named, instruction=f"{own}{form}", wording="reminder of the form")
    if best.k and task.instruction:
        yield replace(best, instruction="", listing=Listing(0, len(task.labels)), wording="no instruction")


def _split(train: Sequence[Example], ctx: Context) -> tuple[list[Example], list[Example], str]:
    """Return what is scored, what worked examples are taken from, and what was done, in words.

    Dev in the order in which `few_shot` draws from it. Where it has fewer than 20 examples, some of train join it, at
    most a quarter, and are not shown as worked examples while the search goes on.
    """
    order = np.random.default_rng(ctx.seed).permutation(len(ctx.dev))
    dev = [ctx.dev[at] for at in order]
    held = min(LEAST_DEV - len(dev), len(train) // 4)
    if held <= 0:
        return dev, list(train), "dev" if dev else "nothing: no dev, and too little to hold out"
    drawn = {int(at) for at in np.random.default_rng([ctx.seed, 2]).permutation(len(train))[:held]}
    pool = [example for at, example in enumerate(train) if at not in drawn]
    beside = f"{len(dev)} dev examples and " if dev else ""
    return [*dev, *(train[at] for at in sorted(drawn))], pool, f"{beside}{held} training examples held out"
