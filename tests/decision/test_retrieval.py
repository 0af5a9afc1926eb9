"""What was looked up, against what was needed: recall, answers, text; and the guard that rests on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from advisor.core.types import Document, EvalSet, Example, Interval, Outcome, Run
from advisor.decision.comparison import compare_runs
from advisor.decision.evidence import Guard
from advisor.decision.findings import Findings, Probe
from advisor.decision.guards import judge_guards, retrieval_worked
from advisor.decision.retrieval import Retrieval, retrievals
from advisor.decision.words import sentence
from advisor.stats.bootstrap import Panel
from advisor.stats.summaries import group_runs
from tests.decision.planted_evidence import FEW, TUNED, Plant, evidence

DOCS = (
    Document("a", "A", "The colour of the barn is red. " + "More words. " * 20),
    Document("b", "B", "The colour of the boat is blue."),
    Document("c", "C", "Nothing of use."),
)
RAG = Plant("rag", 0.6, kind="rag")


def looked_up(
    *traces: dict[str, Any] | None, gold: Any = ("a", ["a", "b"], "b"), **changes: Any
) -> tuple[Retrieval, ...]:
    answers = ("red", "Blue", "neither")
    test = tuple(
        Example(f"t{at}", f"question {at}", answer, {"gold": gold[at]} if gold[at] else {})
        for at, answer in enumerate(answers)
    )
    train = (Example("x", "asked before", "y"),)
    named = {"name": "n", "instruction": "", "metric": "exact_match", "gold_document_field": "gold"}
    evalset = EvalSet(**{**named, "train": train, "dev": (), "test": test, "docs": DOCS, **changes})
    outcomes = tuple(
        Outcome(f"t{at}", "x", 1.0, trace=trace) if trace is not None else Outcome(f"t{at}", None, None, error="failed")
        for at, trace in enumerate(traces)
    )
    run = Run("1", "rag", {}, 0, "m", "n", evalset.fingerprint, "exact_match", outcomes, kind="rag")
    return retrievals(group_runs([run]), evalset)


def test_recall_is_the_mean_share_of_the_named_documents() -> None:
    [found] = looked_up({"retrieved": ["a", "c"]}, {"retrieved": ["b", "b", "b"]}, {"retrieved": ["c"]})
    assert (found.label, found.shown, found.n) == ("rag", 3, 3)
    assert found.recall is not None
    assert found.recall.estimate == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.recall.low < found.recall.estimate < found.recall.high
    assert (found.answers, found.text) == (None, None), (
        "no strategy is taken for having shown what it does not say it showed"
    )


def test_spans_say_whether_the_answer_and_how_much_of_the_text_was_shown() -> None:
    whole = len(DOCS[0].text)
    [found] = looked_up(
        {"retrieved": ["a", "a"], "spans": [[whole - 40, whole], [whole - 60, whole - 20]]},
        {"retrieved": ["b"], "spans": [[0, 999]]},
        {"retrieved": ["b"], "spans": [[0, 5]], "left_out": 3},
    )
    assert found.n_written == 2, "the third answer stands in no document"
    assert found.answers is not None
    assert found.answers.estimate == 0.5, "of the barn only the end was shown"
    both = whole + len(DOCS[1].text)
    assert found.text == pytest.approx((60 / whole + len(DOCS[1].text) / both + 5 / len(DOCS[1].text)) / 3)
    assert found.left_out == 1


@pytest.mark.parametrize(
    "spans", [None, 3, "ab", [[0, 1]], [[0, 1], [2]], [[0, 1], ["a", "b"]], [[0, 1], [-5, 2]], [[0, 1], None]]
)
def test_spans_that_say_nothing_are_none(spans: Any) -> None:
    [found] = looked_up({"retrieved": ["a", "c"], "spans": spans}, None, None)
    assert (found.n, found.answers, found.text) == (1, None, None)


def test_what_names_no_document_looked_nothing_up() -> None:
    assert looked_up({"retrieved": ["train-7"]}, {}, {"retrieved": "a"}) == ()
    assert looked_up({"retrieved": ["a"]}, {}, {}, docs=()) == ()
    [found] = looked_up({"retrieved": ["a"]}, {}, {}, gold=("", "gone", None))
    assert (found.n, found.recall) == (0, None)


def test_a_comparison_counts_it_and_its_targets_reach_no_strategy() -> None:
    test = (Example("t", "which?", "red", {"gold": "a"}), Example("u", "and?", "blue", {"gold": "b"}))
    evalset = EvalSet("n", "", "exact_match", (Example("x", "q", "y"),), (), test, DOCS, gold_document_field="gold")
    outcomes = tuple(Outcome(e.id, "x", 0.0, trace={"retrieved": ["a"], "spans": [[0, 400]]}) for e in test)
    run = Run("1", "rag", {}, 0, "m", "n", evalset.fingerprint, "exact_match", outcomes, kind="rag")
    [found] = compare_runs([run], evalset, draws=100).retrieval
    assert found.recall is not None
    assert found.recall.estimate == 0.5


# --- the guard -------------------------------------------------------------------------------------------------------


def share(estimate: float) -> Interval:
    return Interval(estimate, max(0.0, estimate - 0.05), min(1.0, estimate + 0.05))


def guard(
    recall: float | None, answers: float | None, text: float | None, gain: float | None = None, **more: Any
) -> Guard:
    """RAG scores 60 %; with the right document `gain` more."""
    base = evidence(RAG, TUNED, FEW, docs=True)
    seen = Retrieval(
        "rag", 2, 400 if recall is not None else 0, None if recall is None else share(recall),
        0 if answers is None else 300, None if answers is None else share(answers), text, more.get("left_out", 0),
    )  # fmt: skip
    probes: tuple[Probe, ...] = ()
    if gain is not None:
        plain = np.arange(300) < 180
        given = np.arange(300) < 180 + round(300 * gain)
        outcomes = tuple(Outcome(f"t{at}", "x", float(value)) for at, value in enumerate(given))
        probes = (Probe("oracle_context", "rag", 0, outcomes),)
        panel = Panel(
            ("rag", TUNED.label),
            (plain[None, :].astype(float), plain[None, :].astype(float)),
            (False, True),
            np.arange(300),
        )
        base = replace(base, panel=panel, test_ids=tuple(f"t{at}" for at in range(300)))
    return retrieval_worked(replace(base, retrieval=(seen,), findings=Findings(probes=probes, checks="quick")))


@pytest.mark.parametrize(
    ("recall", "answers", "text", "gain", "state", "key"),
    [
        (0.95, 0.9, 0.3, None, "pass", "retrieval.found"),
        (0.95, None, 1.0, None, "pass", "retrieval.found"),
        (0.6, 0.6, 1.0, None, "fail", "retrieval.low"),
        (0.99, 0.2, 0.1, None, "fail", "retrieval.low"),
        (0.99, None, 0.1, None, "unknown", "retrieval.parts"),
        (0.99, None, None, None, "unknown", "retrieval.parts"),
        (None, None, None, None, "unknown", "retrieval.no_gold"),
        (0.6, 0.6, 1.0, 0.0, "pass", "retrieval.bounded"),
        (0.6, 0.6, 1.0, 0.2, "fail", "retrieval.low"),
        (0.99, None, 0.1, 0.0, "pass", "retrieval.bounded"),
    ],
)
def test_the_guard(recall: Any, answers: Any, text: Any, gain: Any, state: str, key: str) -> None:
    found = guard(recall, answers, text, gain)
    assert (found.state, found.found.key) == (state, key)
    assert bool(found.action) == (state != "pass")
    assert len(found.figures) == (gain is not None)


def test_what_to_do_shows_more_and_keeps_the_others() -> None:
    found = guard(0.6, None, 1.0)
    assert found.action is not None
    assert "rag(k=4)" in found.action.command
    assert all(name in found.action.command for name in ("few_shot", "fine_tuning"))


def test_what_had_no_room_is_said() -> None:
    assert "for 12 questions not all that was found had room" in sentence(guard(0.9, None, 1.0, left_out=12).found)


def test_it_holds_without_documents_and_is_not_known_where_nothing_was_looked_up() -> None:
    assert retrieval_worked(evidence(FEW, TUNED)).state == "pass"
    assert "retrieval worked" in [one.name for one in judge_guards(evidence(FEW, TUNED))]
    nothing = retrieval_worked(evidence(FEW, TUNED, docs=True))
    assert (nothing.state, nothing.found.key) == ("unknown", "retrieval.nothing")
    assert nothing.action is not None
    assert "--strategy rag" in nothing.action.command


def test_the_best_that_was_not_tuned_is_judged() -> None:
    bad, good = Plant("other", 0.3, kind="rag"), Plant("fine_tuning_rag", 0.7, tuned=True, kind="fine_tuning")
    low, high = (Retrieval(name, 2, 400, share(value), 0, None, 1.0, 0) for name, value in (("x", 0.2), ("x", 0.95)))
    seen = (replace(low, label="other"), replace(high, label="rag"), replace(low, label="fine_tuning_rag"))
    assert retrieval_worked(replace(evidence(bad, RAG, good, docs=True), retrieval=seen)).state == "pass"
