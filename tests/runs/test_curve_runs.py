"""``--learning-curve`` from the command to the report: nested parts, stored runs, the plan, and what breaks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import advisor
from advisor.cli import app
from advisor.core.errors import ConfigurationError
from advisor.core.shipped import load_evalset
from advisor.decision.comparison import Comparison
from advisor.decision.request import ComparisonRequest
from advisor.runs.curve_runs import plan_parts, sizes_for
from advisor.runs.plan import plan
from advisor.runs.prepare import Prepared
from advisor.runs.store import Store
from tests.small_comparison import asked, write_evalset, write_model, write_rows, write_strategy

LEARNER = '''
import os


class Learner:
    """Knows the numbers it has seen, so that its score grows with its examples; notes down every fit."""

    name = "learner"
    kind = "fine_tuning"
    tunes = True

    def fit(self, train, ctx):
        with open(os.environ["FITTED"], "a") as log:
            log.write(f"{ctx.seed} {len(train)} {len(ctx.dev)} {' '.join(sorted(e.id for e in train))}\\n")
        if len(train) == int(os.environ.get("BREAKS_AT", "-1")):
            raise RuntimeError("no luck")
        self.seen, self.seed = {str(e.input).split()[0]: e.target for e in train}, ctx.seed

    def predict(self, inputs):
        return [self.seen.get(str(asked).split()[0], "") for asked in inputs]
'''


class Learning:
    """Eighty animals, each asked about in train and in test; one strategy, learning them by heart."""

    def __init__(self, folder: Path) -> None:
        self.evalset = folder / "animals"
        write_evalset(self.evalset, metric="exact_match")
        for split, count in (("train", 80), ("dev", 12), ("test", 80)):
            rows = [
                {"id": f"{split}-{at}", "input": f"animal{at} in {split}", "target": f"sound{at}"}
                for at in range(count)
            ]
            write_rows(self.evalset / f"{split}.jsonl", rows)
        text = (self.evalset / "evalset.yaml").read_text().replace('labels: ["account", "billing", "delivery"]\n', "")
        (self.evalset / "evalset.yaml").write_text(text)
        self.spec = write_strategy(folder, LEARNER, "learner.py")
        self.model, self.log = write_model(folder), folder / "fitted.txt"

    def options(self, *strategies: str, **changes: Any) -> ComparisonRequest:
        return ComparisonRequest(
            evalset=str(self.evalset), model=self.model, strategies=(self.spec, *strategies), draws=200,
            learning_curve=True, **changes,
        )  # fmt: skip

    def compare(self, *strategies: str, **changes: Any) -> Comparison:
        from advisor.runs.compare import compare_options

        return compare_options(self.options(*(strategies or ("majority",)), **changes))

    @property
    def fits(self) -> list[tuple[int, int, int, frozenset[str]]]:
        if not self.log.exists():
            return []
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [(int(seed), int(size), int(dev), frozenset(ids)) for seed, size, dev, *ids in lines]


@pytest.fixture
def learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Learning:
    made = Learning(tmp_path)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked.txt"))
    monkeypatch.setenv("FITTED", str(made.log))
    return made


# --- which sizes and which strategies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("examples", "sizes"),
    [
        (300, (19, 38, 75, 150, 300)),
        (10_000, (625, 1250, 2500, 5000, 10_000)),
        (40, (4, 7, 13, 22, 40)),
        (6, (4, 5, 6)),
        (3, (3,)),
    ],
)
def test_sizes_are_in_equal_ratios_up_to_all(examples: int, sizes: tuple[int, ...]) -> None:
    assert sizes_for(examples) == sizes


def test_parts_are_nested_and_dev_and_test_stay_whole(learning: Learning) -> None:
    whole = load_evalset(str(learning.evalset))
    for order in (0, 1):
        parts = [whole.learning_from(size, order) for size in (5, 20, 40, 80)]
        ids = [{example.id for example in part.train} for part in parts]
        assert [len(one) for one in ids] == [5, 20, 40, 80]
        assert ids[0] < ids[1] < ids[2] < ids[3]
        assert all((part.dev, part.test) == (whole.dev, whole.test) for part in parts)
    assert whole.learning_from(20, 0).train == whole.limited(train=20).train
    assert whole.learning_from(20, 1).train != whole.limited(train=20).train
    assert whole.learning_from(80, 1).fingerprint == whole.fingerprint


def test_strategies_that_do_not_learn_get_no_curve(learning: Learning) -> None:
    evalset = load_evalset(str(learning.evalset))
    specs = ("majority", "nearest_example", "copy_input", "zero_shot", "few_shot", "rag", "fine_tuning", learning.spec)
    found = plan_parts(specs, evalset, seed=0, seeds=2)
    assert found.strategies == ("nearest_example", "few_shot", "rag", "fine_tuning", learning.spec)
    shop = load_evalset("harrow_desk")
    assert "rag" not in plan_parts(("rag", "function_calling"), shop, seed=0, seeds=2).strategies, "it has documents"


def test_seeds_where_they_tell_something(learning: Learning) -> None:
    evalset = load_evalset(str(learning.evalset))
    found = plan_parts(("nearest_example", "few_shot", "fine_tuning"), evalset, seed=7, seeds=2)
    count = {spec: [part for part in found.parts if part.spec == spec] for spec in found.strategies}
    assert [len(parts) for parts in count.values()] == [12, 4, 13]
    assert {part.seed for part in count["few_shot"]} == {7}
    assert [(p.seed, p.size) for p in count["fine_tuning"] if p.size == 80] == [(9, 80)], "two seeds run anyway"
    assert not [p for p in count["nearest_example"] if p.size == 80]


def test_only_two_of_a_kind(learning: Learning) -> None:
    prepared = Prepared.of(learning.options("few_shot(k=1)", "few_shot(k=2)", "few_shot(k=3)"))
    assert prepared.parts.strategies == (learning.spec, "few_shot(k=1)", "few_shot(k=2)")
    assert prepared.curve_notes == (
        "few_shot(k=3): only the first 2 strategies of kind prompting get a learning curve.",
    )


@pytest.mark.parametrize(("says", "found"), [("False", 0), ("lambda self, task: not task.labels", 13)])
def test_a_strategy_of_ones_own_can_say_whether_it_learns(
    learning: Learning, tmp_path: Path, says: str, found: int
) -> None:
    spec = write_strategy(tmp_path, LEARNER.replace("    tunes", f"    learns = {says}\n    tunes"), "says.py")
    assert len(plan_parts((spec,), load_evalset(str(learning.evalset)), seed=0, seeds=2).parts) == found


def test_learns_that_breaks_is_one_sentence(learning: Learning, tmp_path: Path) -> None:
    spec = write_strategy(
        tmp_path, LEARNER.replace("    tunes", "    learns = lambda self, t: 1 / 0\n    tunes"), "b.py"
    )
    with pytest.raises(ConfigurationError, match=r"its learns\(task\) raised ZeroDivisionError"):
        plan_parts((spec,), load_evalset(str(learning.evalset)), seed=0, seeds=2)


# --- from end to end -------------------------------------------------------------------------------------------------


def test_the_curve_is_that_of_what_was_learned(learning: Learning, tmp_path: Path) -> None:
    found = learning.compare(seeds=2)
    [curve] = found.curves
    assert (curve.label, curve.tuned) == ("learner", True)
    assert curve.more[0].gain.estimate > 0.0
    assert {(p.size, p.seed) for p in curve.points} == {(n, s) for n in (5, 10, 20, 40, 80) for s in (0, 1, 2)}
    assert all(point.score == pytest.approx(point.size / 80) for point in curve.points)
    assert {dev for _, _, dev, _ in learning.fits} == {12}
    by_place = {(seed, size): ids for seed, size, _, ids in learning.fits}
    for seed in (0, 1, 2):
        assert by_place[seed, 5] < by_place[seed, 10] < by_place[seed, 20] < by_place[seed, 40] < by_place[seed, 80]
    assert by_place[0, 20] != by_place[1, 20]
    with Store() as store:
        assert store.load_comparison(found.id).curves == found.curves
    for extension in ("html", "md", "json", "csv"):
        text = found.save(tmp_path / f"r.{extension}").read_text(encoding="utf-8")
        assert extension == "csv" or "Above majority from" in text or '"crossing"' in text
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["curves"][0]["more"][0]["labels"] == 160


def test_the_same_again_fits_nothing_and_asking_later_reuses_the_comparison(learning: Learning) -> None:
    plain = advisor.compare(learning.evalset, strategies=[learning.spec, "majority"], model=learning.model, draws=200)
    assert plain.curves == ()
    assert len(learning.fits) == 2
    first = learning.compare()
    assert len(learning.fits) == 2 + 13
    again = learning.compare()
    assert len(learning.fits) == 2 + 13
    assert again.curves == first.curves
    assert first.id != plain.id
    assert first.money == plain.money, "curves change no other figure"
    assert first.differences == plain.differences


POOLED = '''
import os


class Pooled:
    """Notes down what it is given, and what there is beside it."""

    name = "pooled"
    kind = "fine_tuning"

    def fit(self, train, ctx):
        with open(os.environ["FITTED"], "a") as log:
            beside = {e.id for e in train} <= {e.id for e in ctx.pool}
            log.write(f"{len(train)} {len(ctx.pool)} {beside} {all(e.id.startswith('train') for e in ctx.pool)}\\n")

    def predict(self, inputs):
        return ["" for asked in inputs]
'''


def test_a_part_is_told_of_the_whole_training_set(learning: Learning, tmp_path: Path) -> None:
    learning.spec = write_strategy(tmp_path, POOLED, "pooled.py")
    learning.compare()
    fits = learning.log.read_text().splitlines()
    assert fits[:2] == ["80 0 False True"] * 2, "the comparison's own runs have nothing beside them"
    assert [line.split(maxsplit=1)[1] for line in fits[2:]] == ["80 True True"] * 13
    assert {line.split()[0] for line in fits} == {"5", "10", "20", "40", "80"}


def test_examples_that_are_too_long_to_be_learned_are_a_note(learning: Learning, tmp_path: Path) -> None:
    says = POOLED.replace("    def predict", "    tunes = True\n    selection = {'unread': 3}\n\n    def predict")
    learning.spec = write_strategy(tmp_path, says, "unread.py")
    notes = learning.compare("majority").notes
    assert any(
        note.startswith("pooled: training examples that are too long to be learned to their end: 3") for note in notes
    )
    assert not any(note.startswith("majority: ") for note in notes)


def test_one_size_that_breaks_stops_no_other(learning: Learning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKS_AT", "20")
    found = learning.compare()
    assert {point.size for point in found.curves[0].points} == {5, 10, 40, 80}
    assert any("lacks 20 examples with seed 1: fit raised RuntimeError: no luck" in note for note in found.notes)


def test_progress_names_the_part(learning: Learning) -> None:
    heard: list[str] = []

    class Ear:
        def __call__(self, what: str, done: int, total: int) -> None: ...

        def strategy_started(self, label: str, at: int, of: int) -> None:
            heard.append(f"{label} ({at} of {of})")

    from advisor.runs.compare import compare_options

    compare_options(learning.options("majority"), progress=Ear())
    assert f"{learning.spec} seed 2, 40 examples (12 of 13)" in heard


# --- asking for it ---------------------------------------------------------------------------------------------------


def test_dry_run_shows_the_parts_and_runs_nothing(learning: Learning, tmp_path: Path) -> None:
    options = replace(learning.options("zero_shot"), strategies=("zero_shot", "few_shot(k=2)", "fine_tuning"))
    whole, parts = plan(replace(options, learning_curve=False)), plan(options)
    assert len(parts.rows) == len(whole.rows) + 4 + 13
    rows = {row.label: row for row in parts.rows}
    full, half = rows["fine_tuning"].training_tokens, rows["fine_tuning seed 0, 40 examples"].training_tokens
    assert full is not None
    assert half is not None
    assert half == pytest.approx(full / 2, rel=0.1)
    assert rows["few_shot(k=2) seed 0, 5 examples"].calls == rows["few_shot(k=2)"].calls
    assert not learning.log.exists()
    assert not asked(tmp_path / "asked.txt")


@pytest.mark.parametrize("how", ["flag", "environment", "file"])
def test_flag_environment_and_file(
    learning: Learning, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["compare", str(learning.evalset), "--model", learning.model, "-s", "nearest_example"]
    words += ["--dry-run", "--json"]
    if how == "environment":
        monkeypatch.setenv("ADVISOR_LEARNING_CURVE", "1")
    if how == "file":
        (tmp_path / "c.yaml").write_text("learning_curve: true\n")
        words += ["--config", str(tmp_path / "c.yaml")]
    result = CliRunner().invoke(app, [*words, *(["--learning-curve"] if how == "flag" else [])])
    assert "nearest_example seed 2, 40 examples" in [row["label"] for row in json.loads(result.stdout)["rows"]]
