from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from advisor.core.data_check import DataFindings, Leak
from advisor.core.statement import Action, say
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence
from advisor.decision.findings import Findings, Skipped
from advisor.decision.guards import judge_guards, label_quality, no_leak
from advisor.decision.guards.enough import rests_on_quality
from advisor.decision.guards.leak import lead_on, restricted
from advisor.economics.inputs import Economics
from advisor.stats.bootstrap import Panel
from advisor.stats.paired import paired_statistics
from tests.decision.planted_evidence import FEW, TUNED, Plant, asked, evidence
from tests.known import about

N = 400
IDS = tuple(f"t{n}" for n in range(N))


def panel_of(few: np.ndarray, tuned: np.ndarray, clusters: np.ndarray | None = None) -> Panel:
    clusters = np.arange(N) if clusters is None else clusters
    usage = {"seconds": np.ones((N, 2))}
    return Panel((FEW.label, TUNED.label), (few[None, :], np.stack([tuned, tuned])), (False, True), clusters, usage)


def case(few: np.ndarray, tuned: np.ndarray, leaked: int, data: DataFindings | None = None, **more: object) -> Evidence:
    """A comparison with these scores; the first `leaked` test questions are suspects."""
    panel = panel_of(few, tuned)
    found = paired_statistics(panel, 1000, np.random.default_rng(0))
    leaks = tuple(Leak(IDS[at], f"a{at}", "exact", 1.0) for at in range(leaked))
    data = data or DataFindings(leaks=leaks, n_train=500, checked="the same text", **more)  # type: ignore[arg-type]
    planted = evidence(FEW, TUNED)
    return replace(
        planted, panel=panel, test_ids=IDS, n_test=N, differences=found.differences, family=found.family,
        draws=found.draws, findings=Findings(data=data),
    )  # fmt: skip


def scores(share: float, seed: int, n: int = N) -> np.ndarray:
    return (np.random.default_rng(seed).random(n) < share).astype(np.float64)


def test_what_was_not_looked_at_is_unknown_with_its_reason() -> None:
    without = replace(evidence(FEW, TUNED), findings=Findings(skipped=(Skipped("data", "", "the weights are gone"),)))
    for guard in (no_leak(without), label_quality(without)):
        assert (guard.state, guard.found) == ("unknown", say("said", text="the weights are gone"))


def test_no_suspect_passes_and_half_a_look_does_not() -> None:
    clean = case(scores(0.5, 1), scores(0.8, 2), 0)
    assert no_leak(clean).state == "pass"
    assert no_leak(clean).found == say("leak.none", n=400)
    partly = case(scores(0.5, 1), scores(0.8, 2), 0, incomplete="no embeddings could be had")
    assert no_leak(partly).state == "unknown"
    assert no_leak(partly).found == say("leak.none_yet", reason="no embeddings could be had")


def test_a_lead_that_is_everywhere_passes_with_its_figure() -> None:
    found = no_leak(case(scores(0.5, 1), scores(0.85, 2), 40))
    assert found.state == "pass"
    assert found.found.key == "leak.within"
    seen = found.found.values["without"].values
    assert (seen["suspects"], seen["other"]) == (say("leak.suspects", suspects=40, n=400), FEW.label)
    assert 0.3 <= seen["without"].estimate < 0.4
    assert found.method == say("leak.how", checked="the same text")


def test_a_lead_that_was_remembered_fails() -> None:
    few, tuned = scores(0.5, 1), scores(0.5, 2)
    few[:100], tuned[:100] = 0.0, 1.0
    spoiled = case(few, tuned, 100)
    assert spoiled.lead(FEW.label).real
    found = no_leak(spoiled)
    assert found.state == "fail"
    assert found.found.key == "leak.could_be_chance"
    assert found.action == Action(say("leak.remedy"))


def test_a_lead_that_falls_by_more_than_the_margin_fails_though_it_is_still_real() -> None:
    few, tuned = scores(0.3, 1), scores(0.8, 2)
    few[:20], tuned[:20] = 0.0, 1.0
    found = no_leak(case(few, tuned, 20))
    assert found.state == "fail"
    assert found.found.key == "leak.falls"
    assert found.found.values["margin"] == 0.02
    generous = case(few, tuned, 20)
    generous = asked(generous, economics=replace(generous.economics, margin=0.10))
    assert no_leak(generous).state == "pass"


def test_many_suspects_and_a_lead_on_them_alone_is_memory() -> None:
    few, tuned = np.ones(N), np.ones(N)
    few[:3] = 0.0
    small = case(few, tuned, 80)
    assert not small.lead(FEW.label).real
    assert no_leak(small).found.key == "leak.memory"
    assert no_leak(case(few, tuned, 10)).state == "pass"


def test_the_lead_without_suspects_is_held_to_the_error_of_this_look() -> None:
    few, tuned = scores(0.50, 1), scores(0.50, 2)
    tuned[60:] = np.where(np.arange(N - 60) % 12 == 0, 1.0, few[60:])
    first = case(few, tuned, 3)
    late = replace(first, looks=6)
    keep = np.arange(N) >= 3
    assert lead_on(late, keep).low < lead_on(first, keep).low


def test_a_yes_that_rests_on_cost_is_asked_again_without_the_suspects() -> None:
    few = scores(0.5, 1)
    tuned = few.copy()
    few[:6], tuned[:6] = 0.0, 1.0  # remembered
    tuned[6:12], few[6:12] = 0.0, 1.0  # as many lost
    cheap = Economics(requests_per_month=1_000_000)
    whole = case(few, tuned, 6)
    saving = evidence(FEW, replace(TUNED, seconds=0.01), economics=cheap)
    found = asked(replace(whole, money=saving.money), economics=cheap)
    assert not rests_on_quality(found)
    assert no_leak(found).state == "fail"
    assert no_leak(found).found.key == "leak.as_good_unsure"


def test_a_test_set_of_suspects_leaves_nothing() -> None:
    found = no_leak(case(scores(0.5, 1), scores(0.8, 2), N))
    assert found.state == "fail"
    assert found.found == say("leak.nothing_left", suspects=say("leak.suspects", suspects=N, n=N))


def test_suspects_that_were_not_run_do_not_count() -> None:
    data = DataFindings(leaks=(Leak("another", "a0", "exact", 1.0),), checked="the same text")
    assert no_leak(case(scores(0.5, 1), scores(0.8, 2), 0, data)).state == "pass"


def test_without_a_panel_there_is_nothing_to_compute_again() -> None:
    found = no_leak(replace(case(scores(0.5, 1), scores(0.8, 2), 5), panel=None))
    assert found.state == "unknown"
    assert found.found == say("leak.no_lead", suspects=say("leak.suspects", suspects=5, n=N))


def test_the_lead_on_all_examples_is_the_lead() -> None:
    whole = case(scores(0.5, 1), scores(0.8, 2), 5)
    again = lead_on(whole, np.ones(N, dtype=bool))
    lead = whole.lead(FEW.label)
    assert again.estimate == pytest.approx(lead.estimate)
    assert (again.low, again.high) == (pytest.approx(lead.low, abs=0.01), pytest.approx(lead.high, abs=0.01))
    assert again == lead_on(whole, np.ones(N, dtype=bool))


def test_clusters_are_numbered_anew_and_unscored_strategies_leave() -> None:
    few = scores(0.5, 1)
    few[10:] = np.nan
    cut = restricted(panel_of(few, scores(0.8, 2), np.arange(N) // 4), np.arange(N) >= 200)
    assert cut.labels == (TUNED.label,)
    assert cut.n_clusters == 50
    assert cut.usage["seconds"].shape == (200, 1)


# --- labels ----------------------------------------------------------------------------------------------------------


def with_data(plants: tuple[Plant, ...] = (FEW, TUNED), **data: object) -> Evidence:
    return replace(evidence(*plants), findings=Findings(data=DataFindings(n_train=100, **data)))  # type: ignore[arg-type]


def noise(estimate: float, low: float, high: float) -> Interval:
    return Interval(estimate, low, high)


@pytest.mark.parametrize(("share", "state", "said"), [
    (noise(0.05, 0.03, 0.07), "pass", "labels.too_few"),
    (noise(0.18, 0.15, 0.21), "unknown", "labels.may_explain"),
    (noise(0.30, 0.25, 0.35), "fail", "labels.explain"),
])  # fmt: skip
def test_wrong_labels_are_held_against_the_lead(share: Interval, state: str, said: str) -> None:
    found = label_quality(with_data(label_noise=share, largest_class=0.6, smallest_class=0.002))
    assert found.state == state
    agree = say("labels.conflicts", conflicting=0, share=0.0)
    wrong = say("labels.wrong", wrong=share, conflicts=agree, rarest=0.002, commonest=0.6)
    assert found.found == say(said, wrong=wrong, lead=about(0.2), other=FEW.label)
    assert (found.action is not None) == (state != "pass")


@pytest.mark.parametrize(("share", "state"), [(noise(0.01, 0.0, 0.02), "pass"), (noise(0.05, 0.03, 0.07), "unknown")])
def test_where_there_is_no_lead_wrong_labels_are_held_against_the_margin(share: Interval, state: str) -> None:
    level = replace(TUNED, quality=0.59, seconds=0.01)
    assert label_quality(with_data((FEW, level), label_noise=share)).state == state


@pytest.mark.parametrize(("groups", "state"), [(0, "unknown"), (2, "unknown"), (3, "fail")])
def test_conflicts_are_checked_without_closed_labels(groups: int, state: str) -> None:
    conflicts = tuple((f"a{n}", f"b{n}") for n in range(groups))
    found = label_quality(with_data(conflicts=conflicts, label_note="the task has no closed labels"))
    assert found.state == state
    told = say("labels.conflicts", conflicting=2 * groups, share=2 * groups / 100)
    assert found.found.values["conflicts"] == told
    assert found.found.key == ("labels.conflicting" if state == "fail" else "labels.not_estimated")


def test_without_anything_tuned_there_is_no_lead() -> None:
    assert label_quality(with_data((FEW,), label_noise=noise(0.1, 0.05, 0.15))).state == "unknown"
    leaks = (Leak("t0", "a0", "exact", 1.0),)
    assert no_leak(replace(with_data((FEW,), leaks=leaks), test_ids=("t0",))).state == "unknown"


def test_both_stand_in_the_list_and_can_withhold() -> None:
    spoiled = with_data(label_noise=noise(0.30, 0.25, 0.35))
    states = {guard.name: guard.state for guard in judge_guards(spoiled)}
    assert states["label quality"] == "fail"
    assert states["no leak"] == "pass"
