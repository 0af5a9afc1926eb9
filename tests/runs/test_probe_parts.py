"""What a probe changes and what is read off its answers: requests, wordings, repairs, flips, quantiles."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.model import Request
from advisor.core.types import Chat, EvalSet, Example, Message, Outcome, Run, Task, ToolSpec, Usage
from advisor.models.scripted import ScriptedModel
from advisor.runs.interception import Switch, SwitchableModel
from advisor.runs.probes import conditions, measures, repair, rewording
from advisor.testing import toy_task

LABELLED = Task("t", "Which?", "label_accuracy", labels=("red", "green"))
SYSTEM, LAST = Message("system", "Answer."), Message("user", "last")


def shots(count: int, *, calls: bool = False) -> tuple[Message, ...]:
    extra = (Message("tool", "ok"), Message("assistant", "so")) if calls else ()
    return tuple(
        turn for at in range(count) for turn in (Message("user", f"q{at}"), Message("assistant", f"a{at}"), *extra)
    )


# --- requests --------------------------------------------------------------------------------------------------------


def test_answers_are_held_to_labels_or_schema_and_calls_are_left_alone() -> None:
    change = conditions.constrained(LABELLED)
    assert change is not None
    plain = Request((LAST,))
    assert change(plain).choices == ("red", "green")
    for alone in (replace(plain, tools=(ToolSpec("t", "", {}),)), replace(plain, choices=("x",))):
        assert change(alone) == alone
    schema = conditions.constrained(replace(LABELLED, labels=(), schema={"type": "object"}))
    assert schema is not None
    assert schema(plain).schema == {"type": "object"}
    assert conditions.constrained(replace(LABELLED, labels=())) is None


@given(count=st.integers(2, 8), seed=st.integers(0, 50), calls=st.booleans())
def test_demonstrations_come_in_another_order_and_stay_whole(count: int, seed: int, calls: bool) -> None:
    given_turns = shots(count, calls=calls)
    asked = Request((SYSTEM, *given_turns, LAST, Message("assistant", "", ()), Message("tool", "7")))
    changed = conditions.order(seed)(asked)
    assert changed.messages != asked.messages
    assert sorted(map(repr, changed.messages)) == sorted(map(repr, asked.messages))
    assert (changed.messages[0], changed.messages[-3:]) == (SYSTEM, asked.messages[-3:])
    size = len(given_turns) // count
    blocks = [changed.messages[1:-3][at : at + size] for at in range(0, len(given_turns), size)]
    assert all(block in [given_turns[at : at + size] for at in range(0, len(given_turns), size)] for block in blocks)
    assert conditions.order(seed)(asked) == changed
    other = replace(asked, messages=(*asked.messages[:-3], Message("user", "another")))
    assert conditions.order(seed)(other).messages[:-1] == changed.messages[:-3], "the prefix is still shared"


@pytest.mark.parametrize("messages", [(LAST,), (SYSTEM, LAST), (SYSTEM, *shots(1), LAST), ()])
def test_where_there_is_nothing_to_reorder_nothing_changes(messages: tuple[Message, ...]) -> None:
    assert conditions.order(0)(Request(messages)).messages == messages


def test_sampling_is_seeded_by_content() -> None:
    one, other = Request((LAST,)), Request((SYSTEM, LAST))
    change = conditions.sampling(3)
    assert (change(one).temperature, change(one)) == (0.7, change(one))
    assert change(one).seed != change(other).seed != conditions.sampling(4)(other).seed


# --- wordings --------------------------------------------------------------------------------------------------------


def test_paraphrases_of_ones_own_come_first() -> None:
    example = Example("a", "What is the price?", "5", {"paraphrases": ["How much is it?", "What is the price?"]})
    found = rewording.rewordings(example, 2, 0)
    assert found[0].input == "How much is it?"
    assert len(found) == 2
    assert {one.target for one in found} == {"5"}
    assert example.input not in {one.input for one in found}


@given(st.integers(0, 500))
def test_figures_quotations_addresses_and_code_keep_every_character(seed: int) -> None:
    kept = ("€1,200.50", '"Harrow Pine"', "`print(x)`", "https://a.example/Q?x=1", "order_id", "7.5")
    text = f"Could you please tell me if {' and '.join(kept)} are Correct, I cannot find it?"
    other = rewording.surface_changes(text, np.random.default_rng(seed))
    assert other != text
    assert all(part in other for part in kept)


def test_a_conversation_is_reworded_in_its_last_question_only() -> None:
    chat = Chat((Message("user", "Hello There!"), Message("assistant", "Yes?"), Message("user", "Where is my Parcel?")))
    [found] = rewording.rewordings(Example("a", chat, "x"), 1, 0)
    assert isinstance(found.input, Chat)
    assert found.input.messages[:2] == chat.messages[:2]
    assert found.input.messages[2] != chat.messages[2]


def test_what_cannot_be_reworded_is_left_out_and_the_same_seed_gives_the_same() -> None:
    assert all(one.input != "" for one in rewording.rewordings(Example("a", "", "x"), 2, 0))
    example = Example("a", "Where is my parcel, please?", "x")
    assert rewording.rewordings(example, 3, 1) == rewording.rewordings(example, 3, 1)


# --- repairs ---------------------------------------------------------------------------------------------------------


def fixed(answer: str, **changes: object) -> str:
    found = repair.repair_for(replace(toy_task.toy_evalset(), **changes))  # type: ignore[arg-type]
    assert found is not None
    return found[0](answer)


@pytest.mark.parametrize(("answer", "label"), [
    ("Billing.", "billing"),
    ("The team is: Delivery, not account", "delivery"),
    ("delivry", "delivery"),
    ("I cannot say", "I cannot say"),
    ("", ""),
])  # fmt: skip
def test_a_label_is_found_where_the_answer_names_it(answer: str, label: str) -> None:
    assert fixed(answer) == label


def test_the_longer_of_two_labels_that_begin_alike() -> None:
    assert fixed("It is card arrival late.", labels=("card arrival", "card arrival late")) == "card arrival late"


@pytest.mark.parametrize(("answer", "json"), [
    ('Sure: {"a": 1,} hope it helps', '{"a": 1}'),
    ("{'a': True, 'b': None}", '{"a": true, "b": null}'),
    ('[1] and {"a": "}"}', "[1]"),
    ("no object here", "no object here"),
    ('{"a": ', '{"a": '),
])  # fmt: skip
def test_json_is_cut_out_and_mended(answer: str, json: str) -> None:
    assert fixed(answer, labels=(), schema={"type": "object"}) == json


def test_numbers_and_free_text() -> None:
    numbers = tuple(replace(example, target="1,200.5") for example in toy_task.toy_evalset().train)
    assert fixed("It costs 3 times 400, so 1,200.50 euros.", labels=(), train=numbers) == "1200.5"
    assert repair.repair_for(replace(toy_task.toy_evalset(), labels=())) is None


@given(st.text(max_size=80))
def test_a_repair_never_breaks(text: str) -> None:
    fixed(text)
    fixed(text, labels=(), schema={"type": "object"})


# --- measures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after", "labelled", "flips"), [
    (("a", 1.0), ("a", 1.0), True, False),
    (("a", 0.0), ("b", 0.0), True, True),
    (("a", 0.0), ("b", 0.0), False, False),
    (("a", 0.6), ("b", 0.4), False, True),
    (("a", 0.5), ("b", 0.51), False, False),
    (("a", None), ("b", 1.0), True, None),
])  # fmt: skip
def test_what_counts_as_a_flip(
    before: tuple[Any, ...], after: tuple[Any, ...], labelled: bool, flips: bool | None
) -> None:
    assert measures.flipped(Outcome("i", *before), Outcome("i", *after), labelled) is flips


def test_flips_are_shares_by_item() -> None:
    plain = [Outcome("i", "a", 1.0), Outcome("j", "a", 1.0), Outcome("k", "a", None)]
    repeats = [[Outcome("i", "a", 1.0), Outcome("j", "b", 0.0)], [Outcome("i", "b", 0.0), Outcome("k", "a", 1.0)]]
    assert measures.flips("s", "reworded", plain, repeats, True).by_item == {"i": 0.5, "j": 1.0}


def test_seed_flips_are_over_all_pairs_of_trainings() -> None:
    runs = [run(seed, [Outcome("i", answer, float(answer == "a"))]) for seed, answer in enumerate("aab")]
    assert measures.seed_flips("s", runs, True).by_item == {"i": pytest.approx(2 / 3)}


def run(seed: int, outcomes: list[Outcome]) -> Run:
    return Run(f"r{seed}", "s", {}, seed, "m", "e", "f", "label_accuracy", tuple(outcomes))


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 5, 40, 400])
def test_order_statistics_cover_the_true_quantile(q: float, n: int) -> None:
    rng = np.random.default_rng(n)
    tries = [measures.quantile_interval(sorted(rng.random(n)), q) for _ in range(200)]
    assert np.mean([one.low <= q <= one.high for one in tries]) >= 0.92
    assert all(one.low <= one.estimate <= one.high for one in tries)
    assert all(math.isinf(one.high) for one in tries) == (q**n > 0.025)


def test_the_form_of_answers_and_their_waiting_times() -> None:
    outcomes = [Outcome(str(at), "Red" if at else "reddish", 1.0, usage=Usage(calls=1, latency_seconds=at + 1.0))
                for at in range(10)]  # fmt: skip
    found = measures.service("s", [run(0, outcomes)], LABELLED, "in batches of 64")
    assert found.valid is not None
    assert (found.n, found.valid.estimate) == (10, 0.9)
    assert found.valid.low < 0.9 < found.valid.high < 1.0
    assert [one.estimate for one in found.latency] == pytest.approx([5.5, 9.55, 9.91])
    free = measures.service("s", [run(0, [Outcome("i", "x", 1.0)])], replace(LABELLED, labels=()), "")
    assert (free.valid, free.latency) == (None, ())
    test = measures.form_test(replace(LABELLED, labels=(), schema={"type": "object"}))
    assert test is not None
    assert [test[0](text) for text in ('{"a": 1}', "[1]", "x")] == [True, False, False]


def test_an_eval_set_stays_as_it_is() -> None:
    evalset: EvalSet = toy_task.toy_evalset()
    before = evalset.fingerprint
    rewording.rewordings(evalset.test[0], 2, 0)
    assert evalset.fingerprint == before


def test_a_switch_that_listens_sees_how_requests_begin_and_sends_none() -> None:
    sent: list[str] = []

    def answer(request: Request) -> str:
        sent.append(request.messages[-1].content)
        return "yes"

    model, switch = ScriptedModel(answer), Switch()
    tuned = SwitchableModel(model, switch, tuned=True)
    asked = [Request((Message("system", "Be brief."), Message("user", "why?")))]
    with switch.listening():
        SwitchableModel(model, switch).generate(asked)
        tuned.generate(asked)
        raise AssertionError("nothing goes on behind it")
    assert switch.asked == {(("system", "user"), "Be brief.")}  # type: ignore[unreachable]  # listening() ends the block
    assert sent == ["why?"]
    assert tuned.generate(asked)[0].text == "yes"
