from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

from rich.console import Console

from advisor.economics.break_even import BreakEven, Dominance
from tests.reports.sample import PIVOT, changed, comparison, report, without_money

view = report("view")


def figures(base: Any) -> Any:
    return {fact.name: fact.value for fact in view.money_facts(base)}


def test_with_all_amounts_the_net_benefit_is_told() -> None:
    told = figures(comparison())
    assert told["Chance that fine-tuning pays best"] == "94%"
    assert told["Gain from fine-tuning over 12 months"] == "$312.00 (between -$95.00 and $840.00)"
    assert told["Break-even volume"] == "380,000 (at least 190,000)"
    assert not [name for name in told if "needless" in name]


def test_without_them_dominance_is_told() -> None:
    base = without_money(comparison("not_yet"))
    held = Dominance(PIVOT, "rag", 0.61, 0.02, 0.3, 0.2, 0.1, ("rag",))
    economics = replace(base.economics, target_quality=0.9)
    money = replace(base.money, dominance=held)
    told = figures(changed(base, money=money, economics=economics))
    assert told["Chance that fine_tuning is the best by more than 2 points"] == "61%"
    assert told["Chance that fine-tuning is needless"] == "20%"
    assert told["Chance that it is as good and pays back"] == "30%"
    assert told["Cheapest that surely reaches 0.90"] == "none"


def test_what_no_volume_or_value_can_reach_is_not_a_number() -> None:
    base = comparison()
    point = BreakEven(PIVOT, "rag", None, 1.0, None, None)
    told = figures(changed(base, money=replace(base.money, break_even=point)))
    assert told["Chance that no volume pays"] == "100%"
    assert "Break-even volume" not in told
    assert "Break-even value of a correct answer" not in told


def test_every_failure_is_told() -> None:
    base = comparison()
    stopped = replace(base.runs[0], error="the model ran out of memory")
    undefined = replace(base.strategies[0], undefined=4)
    told = view.failures(changed(base, runs=(stopped,), strategies=(undefined, *base.strategies[4:6])))
    assert [(fact.name, fact.value) for fact in told] == [
        ("majority", "4 without a score"),
        ("rag", "3 without an answer"),
        ("function_calling", "11 without an answer"),
        ("majority, seed 0", "stopped"),
        ("fine_tuning_tools", "not run"),
    ]


def test_what_was_cut_off_is_counted_in_every_report() -> None:
    base = comparison()
    rows = tuple(replace(one, cut=7 * (one.label == "rag")) for one in base.strategies)
    outcomes = tuple(replace(one, cut=at < 7) for at, one in enumerate(base.runs[0].outcomes))
    cut = changed(base, strategies=rows, runs=(replace(base.runs[0], outcomes=outcomes), *base.runs[1:]))
    assert ("rag", "7 cut off") in [(fact.name, fact.value) for fact in view.failures(cut)]
    file = io.StringIO()
    report("console").show(cut, Console(file=file, width=80))
    for text in (file.getvalue(), report("html").render(cut), report("markdown").render(cut)):
        assert "7 cut off" in " ".join(text.replace("**", "").split())
    read = json.loads("".join(report("machine").render_json(cut)))
    assert [one["cut"] for one in read["strategies"] if one["label"] == "rag"] == [7]
    assert sum(one["cut"] for one in read["runs"][0]["outcomes"]) == 7
    table = csv.DictReader(io.StringIO("".join(report("machine").render_csv(cut))))
    assert [row["cut"] for row in table].count("True") == 7
    assert "cut off" not in str(view.failures(base))


def test_a_failure_names_its_first_example() -> None:
    base = comparison()
    outcome = base.runs[0].outcomes[0]
    failed = [
        replace(outcome, example_id=name, error=text) for name, text in (("a", "long"), ("b", "late"), ("c", "late"))
    ]
    summary = replace(base.strategies[4], errors={"late": 2, "long": 1, "run": 1})
    elsewhere = replace(base.runs[0], strategy="another", outcomes=(replace(outcome, example_id="z", error="late"),))
    runs = (elsewhere, replace(base.runs[0], strategy=summary.label, outcomes=tuple(failed)))
    told = view.failures(changed(base, runs=runs, strategies=(summary,)))
    assert told[0].meaning == "late (2×, first example b); long (example a); run (1×)"


def test_what_was_adapted_stands_with_what_is_needed_to_run_it_again() -> None:
    base = comparison()
    trained = replace(base.strategies[0], selection={"layers": "LoRA on the top 8 of 30 layers"})
    _, facts = view.reproduction(changed(base, strategies=(trained, *base.strategies[1:])))
    assert ("trained by majority", "LoRA on the top 8 of 30 layers") in [(fact.name, fact.value) for fact in facts]


def test_best_first_and_the_unscored_last() -> None:
    base = comparison()
    unscored = replace(base.strategies[8], quality=None)
    rows = view.rows(changed(base, strategies=(*base.strategies[:8], unscored)))
    assert [row.label for row in rows][-1] == PIVOT
    assert rows[-1].quality == "–"
    scores = [float(row.quality) for row in rows[:-1]]
    assert scores == sorted(scores, reverse=True)
