"""Rewriting the instruction after reading mistakes: GEPA (Agrawal et al. 2025, arXiv 2507.19457) with a second model.

The worked examples stay those of the prompt it starts from; only the instruction changes. Mistakes are read on training
examples, candidates are scored on the examples that the search chooses on, and both are calls of the same budget.
Departures: the budget is never exceeded (gepa looks at its own only between two rounds), and what was asked before the
search is not asked again. Nothing but the budget and the seed ends or steers it, so it repeats word for word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from advisor import AdvisorError, Context, Example, Message, Model, Request

from .choosing import score_of
from .prompt_search import Prompt, Trials

COMPONENT = "instruction"
MINIBATCH = 3
REFLECTION_TOKENS = 1024
LONGER = 3
"""How many times as long as the instruction a rewritten one may be, with the thoughts around it."""
MOST_WITHOUT_GAIN = 20


def reflect(
    start: Prompt, trials: Trials, train: Sequence[Example], ctx: Context, reflection: str
) -> tuple[Prompt, dict[str, Any]]:
    """Return the best prompt that rewriting found with the calls that are left, and what is worth recording.

    Args:
        start: the prompt whose instruction is rewritten; it wins ties.
        trials: the examples to choose on, and the budget.
        train: examples whose mistakes are read.
        ctx: opens the model, and says how far it is.
        reflection: what the second model is called.

    Raises:
        AdvisorError: the second model cannot be opened or reached, or the budget in USD is spent.
    """
    from gepa.api import optimize

    everything = len(trials.examples)
    writer = _Writer(ctx.other_model(reflection), ctx)
    adapter: Any = _Adapter(start, trials, ctx)  # gepa's protocol has type parameters that are never used
    record: dict[str, Any] = {"reflection": reflection, "reflections": 0}
    if not everything or not trials.reach(start, everything):
        return start, record
    try:
        optimize(
            seed_candidate={COMPONENT: start.instruction if start.instruction is not None else ctx.task.instruction},
            trainset=list(train),
            valset=list(trials.examples),
            adapter=adapter,
            reflection_lm=writer,
            reflection_minibatch_size=MINIBATCH,
            stop_callbacks=[_Stopper(trials, writer)],
            logger=_Silent(),
            seed=ctx.seed,
            track_best_outputs=False,
            raise_on_exception=True,
        )
    except _SpentError:
        pass
    if writer.failure:
        raise writer.failure
    whole = [prompt for prompt in adapter.prompts if len(trials.scores.get(prompt, ())) == everything]
    best = start
    for prompt in whole:
        new, old = trials.means((prompt, best), everything)
        best = prompt if new is not None and (old is None or new > old) else best
    return best, {**record, "reflections": writer.calls}


class _SpentError(Exception):
    """The next evaluation would exceed the budget."""


class _Writer:
    """The second model as gepa calls it; gepa would pass by an error of ours, so it is kept and raised afterwards."""

    def __init__(self, model: Model, ctx: Context) -> None:
        self._model, self._ctx = model, ctx
        self._room = max(REFLECTION_TOKENS, LONGER * ctx.count_tokens([ctx.task.instruction])[0])
        self.calls = 0
        self.failure: AdvisorError | None = None

    def __call__(self, prompt: Any) -> str:
        asked = prompt if isinstance(prompt, str) else str(prompt)
        try:
            [answer] = self._model.generate([Request((Message("user", asked),), max_tokens=self._room)])
            self.calls += 1
            self._ctx.progress("rewriting the instruction, rounds", self.calls, self.calls)
            return answer.text
        except AdvisorError as error:
            self.failure = error
            raise


class _Adapter:
    """Evaluates an instruction the way the strategy asks, and shows mistakes to the second model."""

    propose_new_texts = None

    def __init__(self, start: Prompt, trials: Trials, ctx: Context) -> None:
        self._start, self._trials, self._ctx = start, trials, ctx
        self._known = {example.id: at for at, example in enumerate(trials.examples)}
        self.prompts: list[Prompt] = []

    def evaluate(self, batch: Sequence[Example], candidate: Mapping[str, str], capture_traces: bool = False) -> Any:
        """Score one instruction on some examples: all that are chosen on, or a few training examples."""
        from gepa.core.adapter import EvaluationBatch

        prompt = self._prompt(candidate[COMPONENT])
        if [example.id for example in batch] == [example.id for example in self._trials.examples]:
            if not self._trials.reach(prompt, len(batch)):
                raise _SpentError
            scores = [score or 0.0 for score in self._trials.scores[prompt]]
            return EvaluationBatch(outputs=[None] * len(batch), scores=scores)
        if len(batch) > self._trials.left:
            raise _SpentError
        answers = self._trials.answer(prompt, batch)
        scores = [score_of(answer, e, self._ctx) or 0.0 for answer, e in zip(answers, batch, strict=True)]
        texts = [answer.error or answer.content for answer in answers]
        seen = list(zip(batch, texts, scores, strict=True))
        return EvaluationBatch(outputs=texts, scores=scores, trajectories=seen if capture_traces else None)

    def make_reflective_dataset(
        self, candidate: Mapping[str, str], eval_batch: Any, components_to_update: Sequence[str]
    ) -> dict[str, list[dict[str, str]]]:
        """Return what was asked, what came back and what was wanted."""
        rows = [
            {
                "Inputs": str(example.input),
                "Generated Outputs": text,
                "Feedback": f"Score {score:.2f} of 1. The right answer is: {example.target}",
            }
            for example, text, score in eval_batch.trajectories
        ]
        return dict.fromkeys(components_to_update, rows)

    def _prompt(self, text: str) -> Prompt:
        own = self._start.instruction if self._start.instruction is not None else self._ctx.task.instruction
        if text == own:
            return self._start
        prompt = replace(self._start, instruction=text, wording=f"rewritten {len(self.prompts) + 1}")
        if prompt not in self.prompts:
            self.prompts.append(prompt)
        return next(known for known in self.prompts if known == prompt)


class _Stopper:
    """Ends the search when no candidate could be scored any more, or when nothing is asked round after round."""

    def __init__(self, trials: Trials, writer: _Writer) -> None:
        self._trials, self._writer = trials, writer
        self._calls, self._idle = -1, 0

    def __call__(self, gepa_state: Any) -> bool:
        self._idle = self._idle + 1 if self._trials.calls == self._calls else 0
        self._calls = self._trials.calls
        needed = 2 * MINIBATCH + len(self._trials.examples)
        return bool(self._writer.failure) or self._trials.left < needed or self._idle > MOST_WITHOUT_GAIN


class _Silent:
    """gepa's log goes nowhere: the record is in `selection`."""

    def log(self, message: str) -> None:
        """Drop it."""
