"""`advisor.compare` as a user calls it: real files, a scripted model, and everything that comes back."""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import advisor
from advisor.core.errors import AdvisorError, ConfigurationError
from advisor.core.progress import silent
from advisor.core.statement import say
from advisor.decision.comparison import Comparison
from advisor.decision.request import ComparisonRequest
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from advisor.runs.compare import _data_findings
from advisor.runs.prepare import Prepared
from advisor.runs.store import Store
from tests.small_comparison import SHOTS, STRATEGY, Small, asked, write_evalset, write_strategy


def test_the_checks_before_a_yes_are_run_once_and_kept(small: Small, tmp_path: Path) -> None:
    suite = tmp_path / "suite.jsonl"
    question = {"id": "q", "input": "Where does an invoice go?", "target": "billing", "suite": "retention"}
    suite.write_text(json.dumps(question) + "\n", encoding="utf-8")

    def look() -> Comparison:
        return small.compare("zero_shot", "fine_tuning", seeds=2, checks="quick", suite=str(suite))

    found = look()
    states = {guard.name: guard for guard in found.verdict.guards}
    found_of = {name: (guard.found, *guard.figures) for name, guard in states.items()}
    assert "skill.parts" in str(found_of["skill or format"])
    assert say("trainer.rows", share=1.0, needed=0.8) in found_of["trainer worked"]
    assert states["retention"].state == "unknown", "one question shows nothing"
    flips = [one.values for one in found_of["consistency"] if one.key == "consistency.flips"]
    assert ("fine_tuning", "reworded") in [(one["label"], one["condition"]) for one in flips]
    asked_so_far = len(asked(small.log))
    again = look()
    assert len(asked(small.log)) == asked_so_far
    assert again.findings == found.findings
    with Store() as store:
        assert store.load_comparison().findings == found.findings


@pytest.mark.parametrize(("name", "value", "says"), [
    ("checks", "fast", "Allowed: full, none, quick"),
    ("retention_margin", 0.0, "allowed: above 0 and below 1"),
    ("retention_margin", 5, "0.05 is 5 points"),
])  # fmt: skip
def test_options_of_the_checks_are_checked(name: str, value: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        ComparisonRequest(**{name: value})  # type: ignore[arg-type]


def test_the_figures_are_those_of_the_answers(small: Small) -> None:
    found = small.compare("majority", "zero_shot", SHOTS)
    quality = {row.label: row.quality.estimate for row in found.strategies if row.quality}
    assert quality == {"majority": pytest.approx(1 / 3), "zero_shot": pytest.approx(1 / 3), "few_shot": 1.0}
    assert (found.n_train, found.n_dev, found.n_test, found.metric) == (12, 6, 21, "label_accuracy")
    assert found.verdict.answer == "not_yet"
    assert found.verdict.recommended == "few_shot"
    assert found.model == small.model
    assert len(asked(small.log)) == 2 * 21


def test_a_fine_tuned_strategy_that_learned_wins_over_a_weak_prompt(small: Small) -> None:
    found = small.compare("majority", "zero_shot", "fine_tuning", seeds=1)
    tuned = next(row for row in found.strategies if row.label == "fine_tuning")
    assert tuned.tuned
    assert found.pivot == "fine_tuning"
    assert {d.b for d in found.differences} == {"majority", "zero_shot"}
    assert found.verdict.answer != "fine_tune", "guard 1: few_shot was not tried"
    assert found.findings.data is not None
    assert found.findings.data.n_train == found.n_train
    states = {guard.name: guard.state for guard in found.verdict.guards}
    assert states["no leak"] in ("pass", "fail")


def test_examples_are_looked_at_only_where_something_was_tuned(small: Small) -> None:
    found = small.compare("majority", "zero_shot").findings
    assert (found.data, found.why_not("data")) == (None, "looked at only where a strategy was tuned")


def test_what_breaks_while_looking_at_the_examples_is_a_reason_and_no_stop() -> None:
    def broken(texts: object) -> None:
        raise RuntimeError("out of memory")

    prepared = Prepared.of(ComparisonRequest("harrow_desk", strategies=("majority",)))
    context = SimpleNamespace(embed=broken, progress=silent)
    found = _data_findings(prepared, context, [SimpleNamespace(tuned=True)])  # type: ignore[arg-type, list-item]
    assert found.data is None
    assert found.why_not("data") == "could not be looked at: RuntimeError: out of memory"


def test_frame_and_notebook(small: Small) -> None:
    found = small.compare("majority", "zero_shot")
    frame = found.to_frame()
    assert list(frame["label"]) == ["majority", "zero_shot"]
    assert frame.loc["zero_shot", "quality"] == pytest.approx(1 / 3)
    assert (frame["low"] < 1 / 3).all()
    assert (frame["high"] > 1 / 3).all()
    page = found._repr_html_()
    assert "zero_shot" in page
    assert "<table" in page
    assert str(found).startswith(found.verdict.headline)


@pytest.mark.parametrize("extension", ["html", "md", "json", "csv"])
def test_save(small: Small, tmp_path: Path, extension: str) -> None:
    found = small.compare("majority", "zero_shot")
    written = found.save(tmp_path / "deep" / f"report.{extension}")
    text = written.read_text(encoding="utf-8")
    assert "zero_shot" in text
    if extension == "json":
        assert json.loads(text)["verdict"]["answer"] == found.verdict.answer
    if extension == "csv":
        assert len(text.splitlines()) == 1 + 2 * 21


def test_a_strategy_in_a_file_is_a_row_like_the_others(small: Small, tmp_path: Path) -> None:
    found = small.compare("zero_shot", write_strategy(tmp_path))
    mine = next(row for row in found.strategies if row.label == "first_word")
    assert (mine.kind, mine.n, mine.quality and mine.quality.estimate) == ("custom", 21, 1.0)
    assert "first_word" in found.save(tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "economics", [Economics(), Economics(requests_per_month=Range(100, 5e3), usd_per_correct_answer=0.4)]
)
def test_what_is_stored_equals_what_was_returned(small: Small, economics: Economics) -> None:
    found = small.compare("majority", "zero_shot", "fine_tuning", seeds=2, economics=economics)
    with Store() as store:
        loaded = store.load_comparison(found.id[:8])
    for field in fields(Comparison):
        assert getattr(loaded, field.name) == getattr(found, field.name), field.name


def test_the_same_again_asks_the_model_nothing(small: Small, tmp_path: Path) -> None:
    first = small.compare("zero_shot", SHOTS, "fine_tuning", seeds=1)
    calls = len(asked(small.log))
    again = small.compare("zero_shot", SHOTS, "fine_tuning", seeds=1)
    assert len(asked(small.log)) == calls
    assert replace(again, environment={}) == replace(first, environment={})
    assert len(Store().comparisons()) == 1
    small.compare("zero_shot", SHOTS, "majority")
    assert len(asked(small.log)) == calls, "another comparison uses the same runs"


def test_limits_and_economics_arrive(small: Small) -> None:
    found = small.compare("majority", limit=9, train_limit=6, economics=Economics(margin=0.2, requests_per_month=7.0))
    assert (found.n_train, found.n_test) == (6, 9)
    assert found.economics.margin == 0.2


def test_progress_hears_of_every_strategy(small: Small) -> None:
    class Ear:
        heard: list[tuple[Any, ...]] = []  # noqa: RUF012

        def __call__(self, what: str, done: int, total: int) -> None:
            self.heard.append((what, done, total))

        def strategy_started(self, label: str, at: int, of: int) -> None:
            self.heard.append((label, at, of))

        def strategy_finished(self, label: str, note: str) -> None:
            self.heard.append((label, note))

    small.compare("majority", "fine_tuning", seeds=2, progress=Ear())
    assert ("majority", 1, 3) in Ear.heard
    assert ("fine_tuning seed 1", 3, 3) in Ear.heard
    assert ("majority", 21, 21) in Ear.heard
    assert ("majority", "label_accuracy 0.333 on 21") in Ear.heard


def prepared(small: Small, *strategies: str, **options: Any) -> Prepared:
    return Prepared.of(ComparisonRequest(evalset=small.evalset, strategies=strategies, **options))


def test_by_default_all_that_apply_run_and_the_others_say_why_not(small: Small) -> None:
    found = prepared(small)
    assert found.strategies[0] == "majority"
    assert {"zero_shot", "few_shot", "rag", "fine_tuning", "embedding_classifier"} <= set(found.strategies)
    assert set(found.skipped) == {"function_calling", "fine_tuning_tools", "fine_tuning_rag"}
    assert "tool" in found.skipped["function_calling"]
    assert found.skipped["fine_tuning_rag"].endswith("--strategy fine_tuning_rag, or --strategy all")


def test_all_runs_the_slow_ones_too_and_ones_own_beside_them(small: Small, tmp_path: Path) -> None:
    found = prepared(small, "all", write_strategy(tmp_path))
    assert {*prepared(small).strategies, "fine_tuning_rag"} < set(found.strategies)
    assert any(spec.endswith("mine.py:FirstWord") for spec in found.strategies)
    assert set(found.skipped) == {"function_calling", "fine_tuning_tools"}
    assert prepared(small, "fine_tuning_rag").strategies == ("fine_tuning_rag",)


def test_seeds_only_where_they_can_change_an_answer(small: Small) -> None:
    found = prepared(small, seeds=3, seed=5)
    assert found.seeds_of("fine_tuning") == (5, 6, 7)
    assert found.seeds_of("zero_shot") == (5,)
    run = small.compare("majority", "fine_tuning", seeds=2)
    assert [(r.strategy, r.seed) for r in run.runs] == [("majority", 0), ("fine_tuning", 0), ("fine_tuning", 1)]


def test_the_same_strategy_twice_is_one(small: Small) -> None:
    assert prepared(small, "zero_shot", "zero_shot()", "zero_shot(constrained=false)").strategies == ("zero_shot",)
    assert len(prepared(small, "few_shot(k=2)", "few_shot(k=4)").strategies) == 2


def test_two_strategies_of_one_name_are_refused_before_anything_is_paid(small: Small, tmp_path: Path) -> None:
    spec = write_strategy(tmp_path, STRATEGY.replace('"first_word"', '"zero_shot"'))
    with pytest.raises(ConfigurationError, match=r"both called 'zero_shot'.*\n.*another name"):
        small.compare("zero_shot", spec)
    assert not asked(small.log)


def test_a_strategy_that_does_not_apply_is_refused_if_it_was_asked_for(small: Small) -> None:
    with pytest.raises(ConfigurationError, match=r"'function_calling' cannot run on 'small': .*tool"):
        small.compare("zero_shot", "function_calling")
    assert not asked(small.log)


def test_unknown_option() -> None:
    with pytest.raises(
        ConfigurationError, match=r"no option 'limt'; did you mean 'limit'\? Allowed: budget_usd, checks, col"
    ):
        advisor.compare("harrow_desk", limt=3)


@pytest.mark.parametrize("name", ["seeds", "limit", "train_limit", "jobs", "draws"])
def test_counts_start_at_one(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} is 0; it must be a whole number of at least 1"):
        replace(ComparisonRequest(), **{name: 0})  # type: ignore[arg-type]


def test_nothing_could_be_run(small: Small, tmp_path: Path) -> None:
    spec = write_strategy(tmp_path, STRATEGY.replace("self.known =", "raise OSError('gone'); self.known ="))
    with pytest.raises(AdvisorError, match=r"no strategy could be run; .*fit raised OSError: gone \(mine.py, line 7\)"):
        small.compare(spec)
    found = small.compare(spec, "majority")
    broken = next(row for row in found.strategies if row.label == "first_word")
    assert (broken.n, broken.failed, broken.quality) == (0, 21, None)


LOOKS = """
import os

class Looks:
    name = "looks"
    def fit(self, train, ctx): ...
    def predict(self, inputs): return [str(os.environ.get("PIP_NO_INDEX")) for _ in inputs]
"""


def test_offline_refuses_other_hosts_and_ends_with_the_comparison(small: Small, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"example\.com.*--offline"):
        small.compare("zero_shot", model="https://example.com/v1#m", offline=True)
    before = dict(os.environ)
    found = small.compare(write_strategy(tmp_path, LOOKS, "looks.py"), offline=True)
    assert {outcome.output for outcome in found.runs[0].outcomes} == {"1"}
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strategies": "majority"}, r"strategies is the text 'majority'; a list is needed\n  \['majority'\]"),
        ({"strategies": [Small]}, r'each is written as text(.|\n)*"path/to/file.py:Small"'),
        ({"evalset": [{"input": "a"}]}, "evalset is a list; a shipped name, a folder or a file is needed"),
        ({"limit": "10"}, "limit is '10'; it must be a whole number"),
    ],
)
def test_another_type_is_one_sentence(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        advisor.compare(**given)


def test_a_path_is_as_good_as_a_text(small: Small) -> None:
    found = advisor.compare(Path(small.evalset), strategies=["majority"], model=small.model, draws=200)
    assert found.strategies[0].label == "majority"


@pytest.mark.parametrize(("returned", "message"), [("1 / 0", "raised ZeroDivisionError"), ("True", "returned True")])
def test_applies_that_breaks_is_one_sentence(small: Small, tmp_path: Path, returned: str, message: str) -> None:
    path = tmp_path / "picky.py"
    path.write_text(
        "class Picky:\n    name = 'picky'\n    def fit(self, train, ctx): pass\n"
        f"    def predict(self, inputs): return []\n    def applies(self, task): return {returned}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError, match=message):
        small.compare(f"{path}:Picky")


def test_the_next_step_can_be_typed(small: Small, tmp_path: Path) -> None:
    rows = [("a", f"question {at}", "xy"[at % 2]) for at in range(16)]
    path = tmp_path / "odd.csv"
    path.write_text("who,frage,team\n" + "".join(f"{','.join(row)}\n" for row in rows), encoding="utf-8")
    columns = {"input": "frage", "target": "team"}
    mine = write_strategy(tmp_path)
    found = advisor.compare(path, strategies=[mine], model=small.model, columns=columns, draws=200)
    assert mine in found.verdict.action.command
    assert "--column input=frage --column target=team" in found.verdict.action.command


def test_a_suite_that_cannot_be_read_is_said_before_anything_is_run(small: Small, tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text("garbage\n", encoding="utf-8")
    for suite in ("nothere.jsonl", "broken.jsonl"):
        with pytest.raises(AdvisorError, match=suite):
            small.compare("zero_shot", "fine_tuning", seeds=1, checks="quick", suite=str(tmp_path / suite))
    assert not asked(small.log)


def test_a_larger_test_set_is_a_new_look_and_the_same_again_is_none(small: Small) -> None:
    looks = [
        small.compare("zero_shot", "fine_tuning", seeds=1, limit=limit).looks for limit in (6, 6, 12, None, 12, None)
    ]
    assert looks == [1, 1, 2, 3, 2, 3]
    again = small.compare("zero_shot", "fine_tuning", seeds=1)
    assert again == small.compare("zero_shot", "fine_tuning", seeds=1)
    assert "Third look at a growing test set (6 and 12 test examples before)" in " ".join(again.notes)


def test_going_down_in_size_is_looking_again_too(small: Small) -> None:
    looks = [small.compare("zero_shot", "fine_tuning", seeds=1, limit=limit).looks for limit in (None, 12, 6, None)]
    assert looks == [1, 2, 3, 1]


def test_other_sets_models_and_comparisons_without_tuning_are_no_looks(small: Small, tmp_path: Path) -> None:
    small.compare("zero_shot", "majority", limit=6)
    small.compare("zero_shot", "fine_tuning", seeds=1, limit=5)  # to see that it runs: so few can say no yes
    other = write_evalset(tmp_path / "other", instruction="Which team?")
    advisor.compare(str(other), strategies=["zero_shot", "fine_tuning"], model=small.model, limit=6, seeds=1, draws=500)
    assert small.compare("zero_shot", "fine_tuning", seeds=1).looks == 1
