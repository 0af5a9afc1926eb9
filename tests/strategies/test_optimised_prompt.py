"""The search for a prompt: it finds what is planted, spends what it declares, repeats itself, and never sees test."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core import registry
from advisor.core.errors import BudgetReached, ConfigurationError
from advisor.core.model import Completion, Request, TuningJob
from advisor.core.shipped import shipped
from advisor.core.strategy import Context
from advisor.core.types import Example, Task, Usage
from advisor.models.scripted import ScriptedModel
from advisor.runs.metering import Budget, Meter, MeteredModel
from advisor.runs.store import Store
from advisor.testing.toy_task import KEYWORDS, embed, toy_evalset
from tests.strategies.recording import MakeContext, MakeRecorder, MakeStrategy

shipped("strategies")
from advisor.strategies.optimised_prompt import default_budget  # noqa: E402
from advisor.strategies.prompt_search import Prompt, Trials, race  # noqa: E402

WRONG = "no idea"


def right(request: Request) -> Any:
    asked = request.messages[-1].content.lower()
    return next((label for label, words in KEYWORDS.items() if any(word in asked for word in words)), "other")


def when(condition: Any) -> Any:
    """Answer right where the prompt meets a condition, and never otherwise."""
    return lambda request: right(request) if condition(request) else WRONG


def turns(request: Request) -> Any:
    return [message for message in request.messages if message.role == "assistant"]


def system(request: Request) -> Any:
    return request.messages[0].content


def big_evalset() -> Any:
    """The toy task with 36 dev examples, so that there is a budget to search with."""
    small = toy_evalset()
    dev = [
        replace(e, id=f"{e.id}-{n}", input=f"{e.input} {'Thanks. ' * n}".strip()) for n in range(4) for e in small.dev
    ]
    return replace(small, dev=tuple(dev))


@pytest.fixture
def fitted(context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy) -> Any:
    """Fit on the larger toy task and return the strategy with the model that it asked."""

    def fit(answers: Any, spec: str = "optimised_prompt", **changes: Any) -> Any:
        model, evalset = recorder(answers), changes.pop("evalset", None) or big_evalset()
        made = strategy(spec)
        made.fit(changes.pop("train", evalset.train), context(model, evalset, **changes))
        return made, model

    return fit


@pytest.mark.parametrize(("condition", "field", "wanted"), [
    (lambda r: "answer only" in system(r), "wording", "answer only"),
    (lambda r: "exactly one of the allowed answers" in system(r), "wording", "reminder of the form"),
    (lambda r: "Allowed answers" not in system(r), "wording", "labels not listed"),
    (lambda r: bool(r.choices), "constrained", True),
    (lambda r: len(turns(r)) == 2, "k", 2),
    (lambda r: not turns(r), "pick", "none"),
])  # fmt: skip
def test_what_makes_the_model_right_is_found(fitted: Any, condition: Any, field: str, wanted: bool | int | str) -> None:
    made, _ = fitted(when(condition), "optimised_prompt(budget=600)")
    assert made.selection[field] == wanted
    assert made.selection["dev_score"] == 1.0
    assert made.selection["few_shot_dev_score"] == 0.0
    outputs = [answer.output for answer in made.predict([e.input for e in toy_evalset().test])]
    assert outputs == [e.target for e in toy_evalset().test]


def test_a_draw_with_the_one_example_that_helps_is_found(fitted: Any) -> None:
    """Only a demonstration that few_shot's own draws do not hold makes the model right."""
    few, _ = fitted(right, "few_shot")
    key = next(e for e in toy_evalset().train if e not in few._fixed)
    made, _ = fitted(
        when(lambda r: any(m.content == key.input for m in r.messages[:-1])), "optimised_prompt(budget=1500)"
    )
    assert key.id in made.selection["demonstrations"]
    assert made.selection["dev_score"] == 1.0


def test_examples_are_sorted_out_by_what_the_model_knows_without_help(fitted: Any) -> None:
    """Without examples it knows `billing` alone; only examples of other labels, all of them wrong then, help it."""

    def answer(request: Request) -> Any:
        shown = [message.content for message in turns(request)]
        if not shown:
            return right(request) if right(request) == "billing" else WRONG
        return right(request) if "billing" not in shown else WRONG

    made, _ = fitted(answer, "optimised_prompt(budget=1500)")
    assert made.selection["dev_score"] == 1.0
    assert {e.target for e in toy_evalset().train if e.id in made.selection["demonstrations"]} <= set(KEYWORDS) - {
        "billing"
    }
    assert "fixed k=4, answered wrong without help" in made.selection["dev_scores"] or made.selection["pick"] != "none"


def test_it_starts_from_few_shots_own_plan_and_is_never_worse_on_dev(fitted: Any) -> None:
    def odd(request: Request) -> Any:
        return right(request) if len(str(request.messages)) % 3 else WRONG

    evalset = big_evalset()
    for seed in range(4):
        few, _ = fitted(odd, "few_shot", seed=seed)
        made, asked = fitted(odd, "optimised_prompt(budget=300)", seed=seed)
        plan = f"{few.selection['pick']} k={few.selection['k']}"
        assert made.selection["few_shot_plan"] == plan
        assert made.selection["dev_score"] >= made.selection["few_shot_dev_score"]
        assert made.selection["calls"] == len(asked.requests)
        inputs = [e.input for e in evalset.dev]
        scores = [
            sum(a.output == e.target for a, e in zip(one.predict(inputs), evalset.dev, strict=True))
            for one in (made, few)
        ]
        assert scores[0] >= scores[1]


def test_ties_go_to_the_simpler_prompt(fitted: Any) -> None:
    assert fitted(right)[0].selection["pick"] == "none"
    made, _ = fitted(lambda request: WRONG)
    assert (made.selection["pick"], made.selection["k"]) == ("none", 0)


@given(budget=st.integers(0, 260), seed=st.integers(0, 3), odd=st.integers(1, 7))
@settings(max_examples=30)
def test_the_budget_is_never_exceeded(budget: int, seed: int, odd: int) -> None:
    model = ScriptedModel(lambda request: right(request) if len(str(request.messages)) % odd else WRONG)
    made, evalset = registry.make("strategies", f"optimised_prompt(budget={budget})"), big_evalset()
    calls: list[Request] = []

    class Counting:
        name, fingerprint = "counting", "counting"

        def generate(self, requests: Sequence[Request]) -> list[Completion]:
            calls.extend(requests)
            return model.generate(requests)

        def tune(self, job: TuningJob) -> Any:
            raise AssertionError

    ctx = Context(
        seed, Path(), Counting(), Task.of(evalset), evalset.dev, registry.make("metrics", "exact_match"), embed
    )
    made.fit(evalset.train, ctx)
    assert len(calls) == made.selection["calls"] <= budget == made.selection["budget"]


def test_the_default_budget_is_declared_and_at_least_that_of_fine_tuning(fitted: Any) -> None:
    assert default_budget(68, 300) == 300
    assert default_budget(40, 150) == 270
    assert default_budget(200, 5000) == 600
    assert default_budget(0, 50) == 0
    made, _ = fitted(right)
    assert made.selection["budget"] == 3 * 36 + 27
    assert made.selection["fine_tuning_calls"] == 3 * 36
    assert made.selection["budget_rule"].startswith("3 x 36 examples")
    assert fitted(right, "optimised_prompt(budget=50)")[0].selection["budget_rule"] == "as given"


def test_empty_and_failing_answers_end_the_search(fitted: Any) -> None:
    for answers in (lambda request: "", lambda request: Completion(error="timed out")):
        made, asked = fitted(answers)
        assert len(asked.requests) <= made.selection["budget"]
    assert made.selection["dev_score"] is None
    assert made.selection["prompt"] == "fixed k=4"


def test_without_dev_it_chooses_on_training_examples_that_are_not_shown(fitted: Any) -> None:
    made, asked = fitted(right, "optimised_prompt(budget=90)", evalset=toy_evalset(), dev=())
    assert made.selection["chosen_on"] == "6 training examples held out"
    by_text = {e.input: e.id for e in toy_evalset().train}
    questions = {by_text[r.messages[-1].content] for r in asked.requests}
    held = {e.id for e in made._pool} ^ set(by_text.values())
    assert len(held) == 6
    for request in asked.requests:
        shown = {by_text[m.content] for m in request.messages[:-1] if m.role == "user"}
        assert not shown & held
        assert by_text[request.messages[-1].content] not in shown
    assert held <= questions


def test_a_tiny_dev_split_is_filled_up_and_nothing_at_all_is_said(fitted: Any) -> None:
    made, _ = fitted(right, evalset=toy_evalset())
    assert made.selection["chosen_on"] == "9 dev examples and 6 training examples held out"
    made, asked = fitted(right, evalset=toy_evalset(), dev=(), train=toy_evalset().train[:3])
    assert made.selection["chosen_on"].startswith("nothing")
    assert not asked.requests
    assert len(made.predict([toy_evalset().test[0].input])) == 1


def test_fixed_prompts_are_asked_in_batches_that_share_their_prefix(
    context: MakeContext, strategy: MakeStrategy
) -> None:
    batches = []

    class Watching:
        name, fingerprint = "watching", "watching"

        def generate(self, requests: Any) -> Any:
            batches.append(requests)
            return ScriptedModel(right).generate(requests)

    evalset = big_evalset()
    strategy("optimised_prompt").fit(evalset.train, context(Watching(), evalset))
    for batch in batches:
        fixed = [request.messages[:-1] for request in batch]
        assert len(set(fixed)) == 1 or all(len(turns(request)) in (2, 4, 8) for request in batch)


def test_the_same_seed_searches_alike_and_a_resumed_search_asks_nothing(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy, tmp_path: Path
) -> None:
    evalset = big_evalset()
    model = recorder(lambda request: right(request) if len(str(request.messages)) % 3 else WRONG)
    selections, asked = [], []
    for _ in range(2):
        with Store(tmp_path / "store.sqlite") as store:
            made = strategy("optimised_prompt")
            made.fit(evalset.train, context(MeteredModel(model, store, Meter(), Budget()), evalset))
        selections.append(made.selection)
        asked.append(len(model.requests))
    assert selections[0] == selections[1]
    assert asked[0] == asked[1] > 0, "the second search asked again"


def test_chat_inputs_keep_one_instruction(recorder: MakeRecorder, context: MakeContext, strategy: MakeStrategy) -> None:
    from advisor.core.types import Chat, Message

    small = big_evalset()

    def chat(e: Any) -> Any:
        return replace(e, input=Chat((Message("system", small.instruction), Message("user", str(e.input)))))

    evalset = replace(small, train=tuple(map(chat, small.train)), dev=tuple(map(chat, small.dev)), test=(
        Example("t", "Where is it?", "delivery"),
    ))  # fmt: skip
    model = recorder(right)
    strategy("optimised_prompt").fit(evalset.train, context(model, evalset))
    assert all(system(r).count(small.instruction) <= 1 for r in model.requests)
    assert all([m.role for m in r.messages].count("system") <= 1 for r in model.requests)


@pytest.mark.parametrize("spec", ["optimised_prompt(budget=-1)", 'optimised_prompt(budget="many")',
                                  "optimised_prompt(budget=true)"])  # fmt: skip
def test_impossible_budgets_are_refused(spec: str, strategy: MakeStrategy) -> None:
    with pytest.raises(ConfigurationError, match="whole number of calls"):
        strategy(spec)


def test_a_challenger_is_dropped_as_soon_as_it_falls_behind(context: MakeContext, recorder: MakeRecorder) -> None:
    evalset = big_evalset()
    ctx = context(recorder(), evalset)
    good, bad = Prompt("fixed", 4, origin="good"), Prompt("fixed", 8)
    asked = {good: 0, bad: 0}

    def ask(prompt: Any, examples: Any) -> Any:
        asked[prompt] += len(examples)
        return [Completion(e.target if prompt == good and at else WRONG) for at, e in enumerate(examples)]

    trials = Trials(evalset.dev, ask, ctx, 500)
    assert race(good, lambda best: iter([bad]), trials) == good
    assert asked[bad] == 6


# --- a second model that rewrites the instruction ---------------------------------------------------------------------

SECRET = "Sort by the noun."


def writer(request: Request) -> Any:
    """A scripted reflection model: it reads the mistakes and writes the instruction that helps."""
    assert "The right answer is" in request.messages[-1].content
    return f"Here you are:\n```\n{SECRET}\n```"


def reflecting(context: MakeContext, model: Any, evalset: Any = None, reflect: Any = writer, **changes: Any) -> Any:
    opened = []

    def other(spec: Any) -> Any:
        opened.append(spec)
        return ScriptedModel(reflect, name="writer")

    evalset = evalset or big_evalset()
    return context(model, evalset, other_model=other, **changes), opened


def test_an_instruction_that_only_reflection_finds_wins(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(when(lambda r: SECRET in system(r))), big_evalset()
    ctx, opened = reflecting(context, model)
    made = strategy('optimised_prompt(budget=400, reflection="openai:big")')
    made.fit(evalset.train, ctx)
    assert opened == ["openai:big"]
    assert made.selection["instruction"] == SECRET
    assert made.selection["dev_score"] == 1.0
    assert made.selection["reflections"] >= 1
    assert len(model.requests) == made.selection["calls"] <= 400


@pytest.mark.parametrize("answer", [lambda r: "", lambda r: "```\nnothing new\n```"])
@pytest.mark.parametrize("base", [right, lambda r: WRONG, lambda r: ""])
@pytest.mark.parametrize("budget", [0, 40, 150, 400])
def test_reflection_ends_and_keeps_to_the_budget(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy, answer: Any, base: Any, budget: int
) -> None:
    model, evalset = recorder(base), big_evalset()
    ctx, _ = reflecting(context, model, reflect=answer)
    made = strategy(f'optimised_prompt(budget={budget}, reflection="openai:big")')
    made.fit(evalset.train, ctx)
    assert len(model.requests) == made.selection["calls"] <= budget
    assert made.selection["dev_score"] == made.selection["few_shot_dev_score"] or base is right or budget == 0


def test_reflection_repeats_itself(context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy) -> None:
    found = []
    for _ in range(2):
        model, evalset = recorder(lambda r: right(r) if len(str(r.messages)) % 2 else WRONG), big_evalset()
        ctx, _ = reflecting(context, model)
        made = strategy('optimised_prompt(budget=400, reflection="openai:big")')
        made.fit(evalset.train, ctx)
        found.append((made.selection, list(map(str, model.requests))))
    assert found[0] == found[1]


def test_an_error_of_the_second_model_is_not_passed_by(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    def spent(request: Request) -> None:
        raise BudgetReached("the budget is reached")

    ctx, _ = reflecting(context, recorder(lambda r: WRONG), reflect=spent)
    with pytest.raises(BudgetReached):
        strategy('optimised_prompt(budget=400, reflection="openai:big")').fit(big_evalset().train, ctx)


def test_without_gepa_the_line_to_type_is_said(strategy: MakeStrategy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gepa", None)
    with pytest.raises(ConfigurationError) as caught:
        strategy('optimised_prompt(reflection="openai:big")')
    assert caught.value.hint == "in the checkout: python -m pip install '.[gepa]'"


def test_where_no_other_model_can_be_opened_it_says_so(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    with pytest.raises(ConfigurationError, match="openai:big"):
        strategy('optimised_prompt(budget=400, reflection="openai:big")').fit(
            big_evalset().train, context(recorder(), big_evalset())
        )


def test_usage_of_nothing_costs_nothing() -> None:
    budget = Budget(1.0, lambda usage: 5.0)
    budget.pay(Usage(), lambda usage: 0.25)
    assert budget.spent_usd == 0.25
