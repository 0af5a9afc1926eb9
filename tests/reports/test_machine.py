from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from advisor.core.types import Outcome, Outcomes, Usage
from tests.reports.sample import HOSTILE, PLANS, N, comparison, report, without_money

machine = report("machine")
SCHEMA = json.loads(machine.SCHEMA_FILE.read_text("utf-8"))
CASES = {"plain": comparison(), "hostile": comparison("not_yet", HOSTILE), "poor": without_money(comparison())}


@pytest.mark.parametrize("case", CASES)
def test_json_follows_the_published_schema(case: Any) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    plain = json.loads("".join(machine.render_json(CASES[case])))
    Draft202012Validator(SCHEMA).validate(plain)
    assert plain["schema_version"] == 2


def test_the_published_schema_is_the_one_the_dataclasses_give() -> None:
    assert machine.SCHEMA_FILE.read_text("utf-8") == report("schema").text(), "python -m advisor.reports.schema"


def test_json_keeps_every_answer_exactly_and_the_file_is_harmless() -> None:
    base = CASES["hostile"]
    text = "".join(machine.render_json(base))
    assert text.isascii()
    assert "\x1b" not in text
    plain = json.loads(text)
    assert [len(run["outcomes"]) for run in plain["runs"]] == [N] * len(base.runs)
    assert plain["runs"][0]["outcomes"][0]["output"] == base.runs[0].outcomes[0].output
    assert plain["disagreements"][0]["answers"]["fine_tuning"] == [f"{HOSTILE}duplicate_charge", 1.0]


def test_answers_written_piece_by_piece_stand_as_json_would_write_them() -> None:
    base = CASES["hostile"]
    first, second, *others = base.runs
    odd = Outcome("%s", 'a "b"\n', math.inf, usage=Usage(1, 2.5, 0, 1, math.nan, 0.5), trace={"a": [1, {"b": "\n"}]})
    many = Outcomes(replace(odd, example_id=f"t{at}", score=None) for at in range(1001))
    runs = (
        replace(first, outcomes=(odd, *first.outcomes)),
        replace(second, outcomes=()),
        replace(first, outcomes=many),
    )
    text = "".join(machine.render_json(replace(base, runs=(*runs, *others))))
    assert text == json.dumps(json.loads(text), indent=1) + "\n"
    plain = json.loads(text)["runs"]
    assert [len(run["outcomes"]) for run in plain] == [N + 1, 0, 1001, *[N] * len(others)]
    assert plain[0]["outcomes"][0]["score"] == "Infinity"
    assert plain[0]["outcomes"][0]["usage"]["seconds"] is None
    assert plain[2]["outcomes"][1000]["trace"] == odd.trace


def test_undefined_is_null_and_infinite_is_a_word() -> None:
    base = comparison()
    odd = replace(base.runs[0], summaries={"macro_f1": math.nan}, selection={"k": np.int64(3), "ok": np.bool_(True)})
    plain = json.loads("".join(machine.render_json(replace(base, runs=(odd,)))))
    assert plain["runs"][0]["summaries"] == {"macro_f1": None}
    assert plain["runs"][0]["selection"] == {"k": 3, "ok": True}
    assert plain["money"]["break_even"]["volume"]["high"] == "Infinity"
    assert plain["strategies"][0]["latency_p50"] is None


def _table(text: Any) -> Any:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_one_row_a_strategy_seed_and_example() -> None:
    rows = _table("".join(machine.render_csv(CASES["plain"])))
    assert len(rows) == N * sum(len(plan.seeds) for plan in PLANS)
    assert len({(row["strategy"], row["params"], row["seed"], row["example_id"]) for row in rows}) == len(rows)
    failed = [row for row in rows if row["strategy"] == "function_calling" and row["error"]]
    assert len(failed) == 11
    assert {row["score"] for row in failed} == {""}


def test_no_cell_of_the_csv_is_a_formula() -> None:
    base = comparison("not_yet", "=1+1")
    run = base.runs[0]
    armed = [replace(o, output=f"{c}x", error=f"{c}y", example_id=f"{c}{i}") for i, (o, c) in enumerate(
        zip(run.outcomes, "=+-@\t\r" * 5, strict=False)
    )]  # fmt: skip
    rows = _table(
        "".join(machine.render_csv(replace(base, runs=(replace(run, strategy="@evil", outcomes=tuple(armed)),))))
    )
    cells = [cell for row in rows for cell in (*row, *row.values())]
    assert len(rows) == 30
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
