"""The self-test itself: its worlds have the truth they claim, its counts are right, and it can fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.cli.selftest import as_text
from advisor.economics.inputs import Economics
from advisor.testing.selftest import FULL, QUICK, measure, settings
from advisor.testing.selftest.measuring import batch, rate_of
from advisor.testing.selftest.settings import CHEAP, VOLUME, Mode, Setting, Simulated
from advisor.testing.selftest.worlds import cut, evalset_of, simulate

SMALL = Mode(worlds=40, draws=300, everything=True)
PAIR = Setting("pair", (Simulated("few_shot"), Simulated("fine_tuning", 0.05, True)), {"covers": None}, n=400)


def scores(setting: Setting, seed: int) -> list[np.ndarray]:
    runs = simulate(setting, np.random.default_rng(seed))
    return [np.array([outcome.score for outcome in run.outcomes]) for run in runs]


# --- worlds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [PAIR, replace(PAIR, cluster_size=5, icc=0.3), replace(PAIR, graded=True)])
def test_a_world_has_the_score_and_the_lead_it_is_made_with(setting: Setting) -> None:
    large = replace(setting, n=100_000)
    base, tuned = scores(large, 1)
    assert base.mean() == pytest.approx(0.60, abs=0.01)
    assert (tuned - base).mean() == pytest.approx(0.05, abs=0.006)
    if not setting.graded:
        assert np.mean(tuned != base) == pytest.approx(0.20, abs=0.01)


def test_the_differences_of_a_cluster_have_the_correlation_they_are_made_with() -> None:
    base, tuned = scores(replace(PAIR, n=100_000, cluster_size=2, icc=0.3), 2)
    first, second = (tuned - base).reshape(-1, 2).T
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.3, abs=0.02)


def test_trainings_differ_as_much_as_they_are_made_to() -> None:
    arms = (Simulated("few_shot"), Simulated("fine_tuning", 0.0, True, seeds=200, seed_sd=0.03))
    means = [one.mean() for one in scores(replace(PAIR, arms=arms, n=4_000), 3)[1:]]
    assert np.std(means) == pytest.approx(0.03, rel=0.2)


def test_permuted_labels_leave_no_lead() -> None:
    base, tuned = scores(replace(PAIR, n=100_000, permuted=True), 4)
    assert (tuned - base).mean() == pytest.approx(0.0, abs=0.006)


def test_equal_prices_are_equal_in_every_example() -> None:
    runs = simulate(PAIR, np.random.default_rng(5))
    seconds = [[outcome.usage.seconds for outcome in run.outcomes] for run in runs]
    assert seconds[0] == seconds[1]
    assert len(set(seconds[0])) > 1


def test_an_earlier_look_is_the_start_of_the_later_one() -> None:
    run = simulate(PAIR, np.random.default_rng(6))[0]
    assert cut(run, 100).outcomes == run.outcomes[:100]
    assert cut(run, 100).id != run.id
    assert len({example.group for example in evalset_of(40, 5).test}) == 8


# --- counts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hits", "promise", "kept"), [(0, (0.0, 0.05), True), (5, (0.0, 0.05), True),
    (20, (0.0, 0.05), False), (95, (0.94, 0.96), True), (80, (0.94, 0.96), False), (50, None, None)])  # fmt: skip
def test_a_promise_is_broken_only_where_the_exact_interval_excludes_it(
    hits: int, promise: tuple[float, float] | None, kept: bool | None
) -> None:
    row = rate_of("some", "false yes", hits, 100, promise)
    exact = binomtest(hits, 100).proportion_ci(0.95, method="exact")
    assert (row.low, row.high) == pytest.approx((exact.low, exact.high))
    assert (row.rate, row.kept) == (hits / 100, kept)


def test_so_few_worlds_that_nothing_can_be_told_are_not_called_a_kept_promise() -> None:
    few, enough = (rate_of("some", "false yes", 0, worlds, (0.0, 0.05)) for worlds in (20, 300))
    assert (few.kept, few.told, enough.told) == (True, False, True)
    assert "0 of 2 promises broken; so few worlds cannot tell of 1 more" in as_text([few, enough], {})


def test_a_broken_method_is_found_out() -> None:
    """Without the budget (any chance above a half is a yes) the self-test says so."""
    careless = Economics(requests_per_month=1_000_000, confidence=0.51, false_yes=0.499)
    edge = next(one for one in settings(FULL) if one.name == "worse by exactly the margin and cheaper")
    [row] = measure([replace(edge, n=100, economics=careless)], SMALL)
    assert row.kept is False
    assert "1 of 1 promises broken" in as_text([row], {})


def test_planted_effects_are_found_and_counted_in_the_right_direction() -> None:
    strong = replace(PAIR, arms=(Simulated("few_shot"), Simulated("fine_tuning", 0.15, True, seconds=CHEAP)),
                     economics=VOLUME, promises={"found": None, "says yes": None, "false yes": None})  # fmt: skip
    hits = batch(strong, 0, 10, seed=0, draws=300)
    assert hits["found"] >= 9
    assert hits["says yes"] == hits["false yes"] >= 9
    behind = replace(strong, arms=(Simulated("few_shot"), Simulated("rag", -0.15)), promises={"found": None})
    assert batch(behind, 0, 10, seed=0, draws=300)["found"] == 0


def test_a_world_depends_on_its_number_and_not_on_the_batch_or_the_processes() -> None:
    whole = batch(PAIR, 0, 30, seed=3, draws=200)
    parts = [batch(PAIR, start, start + 10, seed=3, draws=200) for start in (0, 10, 20)]
    assert whole["covers"] == sum(part["covers"] for part in parts)
    some = [replace(PAIR, n=50)]
    assert measure(some, SMALL, seed=1) == measure(some, SMALL, seed=1, jobs=2)


def test_looking_again_spends_the_budget_and_stops_at_a_yes() -> None:
    seen: list[tuple[str, int, int]] = []
    strong = (Simulated("few_shot"), Simulated("fine_tuning", 0.15, True, seconds=CHEAP))
    grows = replace(PAIR, arms=strong, looks=(100, 200, 400), economics=VOLUME, promises={"says yes": None})
    [row] = measure([grows], Mode(20, 300, True), progress=lambda *said: seen.append(said))
    assert row.hits == 20
    assert seen[-1] == ("simulated worlds", 20, 20)


def test_the_settings_cover_what_was_promised() -> None:
    full, quick = settings(FULL), settings(QUICK)
    assert {one.name for one in quick} < {one.name for one in full}
    assert len({one.name for one in full}) == len(full)
    for modes in (full, quick):
        assert any(one.looks for one in modes)
        assert any(one.icc > 0 for one in modes)
        assert any(one.permuted for one in modes)
        assert any(sum(arm.tuned for arm in one.arms) > 2 for one in modes)
        assert any(arm.seed_sd > 0 for one in modes for arm in one.arms)
        assert {name for one in modes for name in one.promises} == {"false yes", "covers", "found", "says yes"}


# --- the verb --------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    import advisor.testing.selftest as package

    monkeypatch.setattr(package, "settings", lambda mode: (replace(PAIR, n=60, promises={"covers": (0.5, 1.0)}),))


@pytest.mark.usefixtures("few")
def test_the_verb_prints_figures_beside_promises() -> None:
    done = CliRunner().invoke(app, ["selftest", "--worlds", "20", "--jobs", "1"])
    assert done.exit_code == 0, done.output
    assert "95% intervals that hold the" in done.output
    assert "50.0% to 100.0%" in done.output
    assert "All 1 promises are kept" in done.output
    assert max(len(line) for line in done.output.splitlines()[:4]) <= 80
    assert "worlds 20, draws 1000, seed 0" in done.output
    plain = CliRunner().invoke(app, ["selftest", "--worlds", "20", "--jobs", "1", "--json"])
    table = json.loads(plain.stdout)
    assert table["rows"][0]["setting"] == "pair"
    assert table["rows"][0]["kept"] is True


def test_a_broken_promise_is_exit_code_100(monkeypatch: pytest.MonkeyPatch) -> None:
    import advisor.testing.selftest as package

    wrong = replace(PAIR, n=60, promises={"covers": (0.0, 0.01)})
    monkeypatch.setattr(package, "settings", lambda mode: (wrong,))
    done = CliRunner().invoke(app, ["selftest", "--worlds", "20", "--jobs", "1", "--quiet"])
    assert done.exit_code == 100
    assert "BROKEN" in done.output


def test_an_interrupted_one_goes_on_and_a_finished_one_starts_anew(
    monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    """Two batches are done, the third is interrupted; the figures are those of an undisturbed test."""
    import advisor.testing.selftest.measuring as measuring

    words = ["selftest", "--worlds", "40", "--jobs", "1", "--quiet", "--json"]
    two = settings(QUICK)[:2]
    monkeypatch.setattr("advisor.testing.selftest.settings", lambda mode: two)
    real, asked = measuring.batch, list[str]()

    def batch(setting: Setting, start: int, stop: int, *, seed: int, draws: int) -> measuring.Hits:
        if len(asked) == 2:
            asked.append("interrupted")
            raise KeyboardInterrupt
        asked.append(f"{setting.name} {start}")
        return real(setting, start, stop, seed=seed, draws=draws)

    monkeypatch.setattr(measuring, "batch", batch)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 130
    assert "To go on, type:" in done.output
    [journal] = own_home.glob("selftest-*.jsonl")
    with journal.open("a") as file:
        file.write('["cut off by a cr')

    resumed = json.loads(CliRunner().invoke(app, words).stdout)["rows"]
    assert len(asked) == len(set(asked)) == 5
    assert not list(own_home.glob("selftest-*"))
    anew = json.loads(CliRunner().invoke(app, words).stdout)["rows"]
    assert resumed == anew
    assert len(asked) == 9
