"""Each guard that rests on probes: a planted case that holds, one that fails, and one that nobody can know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from advisor.core.statement import Statement, say
from advisor.core.types import Interval, Outcome
from advisor.decision.evidence import Evidence, Guard
from advisor.decision.findings import Findings, Flips, Probe, ProbeName, Service, Skipped, TrainingFindings
from advisor.decision.guards import (
    consistent,
    judge_guards,
    nothing_else_broke,
    retrieval_worked,
    skill_or_format,
    trainer_worked,
)
from advisor.decision.guards.retention import smallest_drop
from advisor.decision.verdict import decide
from advisor.stats.bootstrap import Panel
from tests.decision.planted_evidence import FEW, TUNED, Plant, evidence

N = 300
FREE = replace(TUNED, quality=0.9, sd=0.0)
RNG = np.random.default_rng(0)


def scores(share: float, seed: int = 0, n: int = N) -> np.ndarray:
    """0/1 scores with exactly this share right, in a random order."""
    return (np.random.default_rng(seed).permutation(n) < round(share * n)).astype(float)


def outcomes(values: np.ndarray, trace: Sequence[str] = ()) -> tuple[Outcome, ...]:
    groups = trace or [f"t{at}" for at in range(len(values))]
    pairs = enumerate(zip(values, groups, strict=True))
    return tuple(Outcome(f"t{at}", "x", float(value), trace={"group": group}) for at, (value, group) in pairs)


def probe(name: ProbeName, label: str, values: np.ndarray, seed: int = 0, note: str = "") -> Probe:
    return Probe(name, label, seed, outcomes(values), note)


def case(few: np.ndarray, tuned: Sequence[np.ndarray], *plants: Plant, **found: Any) -> Evidence:
    plain = evidence(FEW, TUNED, *plants)
    panel = Panel(
        labels=(FEW.label, TUNED.label),
        scores=(few[None, :], np.stack(tuned)),
        tuned=(False, True),
        clusters=np.arange(len(few), dtype=np.intp),
    )
    ids = tuple(f"t{at}" for at in range(len(few)))
    return replace(plain, panel=panel, test_ids=ids, findings=Findings(checks="quick", **found))


def format_case(few_in_form: float, tuned_in_form: float = 0.8, n: int = N) -> Guard:
    """The tuned model leads 80 to 40; what is left of it in form is planted."""
    few, tuned = scores(0.4, 1, n), scores(0.8, 2, n)
    better = np.maximum(few, scores(few_in_form, 3, n)) if few_in_form > 0.4 else few
    probes = (probe("constrained", FEW.label, better), probe("constrained", "fine_tuning", scores(tuned_in_form, 2, n)))
    return skill_or_format(case(few, [tuned, tuned], probes=probes))


# --- skill or format -------------------------------------------------------------------------------------------------


def test_a_lead_that_is_only_format_fails_and_names_what_to_buy() -> None:
    found = format_case(0.75)
    assert found.state == "fail"
    assert found.found.key == "skill.is_format"
    assert "few_shot(constrained=true)" in found.action.command


def test_a_lead_that_is_skill_holds_with_its_two_parts() -> None:
    found = format_case(0.0)
    assert found.state == "pass"
    parts = found.found.values
    assert (found.found.key, parts["other"]) == ("skill.parts", FEW.label)
    assert [parts["lead"], parts["form"].estimate, parts["skill"].estimate] == pytest.approx([0.4, 0.0, 0.4])


def test_what_is_left_below_the_margin_is_no_skill_to_pay_for() -> None:
    few, tuned = np.zeros(3000), np.zeros(3000)
    tuned[:1200] = 1.0
    formed = tuned.copy()
    formed[:40] = 0.0  # in form the alternative lacks 40 of 3,000, 1.3 points, surely above 0
    probes = (probe("constrained", FEW.label, formed), probe("constrained", "fine_tuning", tuned))
    found = skill_or_format(case(few, [tuned], probes=probes))
    assert found.state == "fail"
    assert found.found.values["parts"].values["skill"].estimate == pytest.approx(40 / 3000)


def test_too_few_examples_do_not_tell_format_from_skill() -> None:
    few, tuned = np.array([0, 0, 1, 0, 1, 0.0]), np.array([1, 0, 1, 0, 1, 1.0])
    probes = (probe("repaired", FEW.label, np.array([1, 0, 1, 0, 1, 0.0])), probe("repaired", "fine_tuning", tuned))
    found = skill_or_format(case(few, [tuned], probes=probes))
    assert found.state == "unknown"
    assert found.found.key == "skill.unclear"
    assert found.action.adds == "--checks full"


def behind(found: Evidence) -> Evidence:
    """The same with a tuned strategy that is 5 points behind on the whole test split."""
    worse = evidence(FEW, replace(TUNED, quality=FEW.quality - 0.05))
    return replace(found, differences=worse.differences, family=worse.family)


def test_a_tune_without_a_lead_has_no_format_to_thank() -> None:
    few, tuned = scores(0.8, 1, 3000), scores(0.82, 1, 3000)
    probes = (probe("constrained", FEW.label, few), probe("constrained", "fine_tuning", tuned))
    assert skill_or_format(behind(case(few, [tuned], probes=probes))).state == "pass"


def test_a_rival_that_is_better_in_form_withholds_a_yes_that_rests_on_cost() -> None:
    few, tuned = scores(0.6, 1), scores(0.6, 1)
    formed = np.maximum(few, scores(0.5, 3))
    probes = (probe("constrained", FEW.label, formed), probe("constrained", "fine_tuning", tuned))
    for found in (behind(case(few, [tuned], probes=probes)), case(few, [tuned], probes=probes)):
        guard = skill_or_format(found)
        assert guard.state == "fail"
        assert guard.found.key == "skill.is_format"


def test_a_sample_without_a_lead_does_not_clear_a_lead_on_all_of_test() -> None:
    few = scores(0.5, 1)
    probes = (probe("constrained", FEW.label, few), probe("constrained", "fine_tuning", few))
    found = case(few, [few], probes=probes)
    assert found.lead(found.alternative).estimate > 0.0
    assert skill_or_format(found).state == "unknown"


def test_the_parts_add_up_and_every_seed_counts() -> None:
    few, tuned = scores(0.3, 1), [scores(0.7, 2), scores(0.8, 3)]
    probes = (
        probe("repaired", FEW.label, np.maximum(few, scores(0.4, 4))),
        *(probe("repaired", "fine_tuning", values, seed) for seed, values in enumerate(tuned)),
    )
    parts = skill_or_format(case(few, tuned, probes=probes)).found.values
    assert parts["lead"] == pytest.approx(0.45)
    assert parts["form"].estimate + parts["skill"].estimate == pytest.approx(0.45)


def test_free_text_says_what_could_not_be_checked() -> None:
    found = skill_or_format(case(scores(0.4, 1), [scores(0.8, 2)]))
    assert found.state == "unknown"
    assert found.found == say("skill.free_text")


def test_what_the_right_document_brings() -> None:
    few, tuned = scores(0.4, 1), scores(0.8, 2)
    oracle = probe("oracle_context", FEW.label, np.ones(N))
    [brought] = retrieval_worked(case(few, [tuned], probes=(oracle,))).figures
    assert (brought.key, brought.values["score"], brought.values["n"]) == ("retrieval.right_document", 1.0, N)
    assert brought.values["gain"].estimate == pytest.approx(0.6)


# --- trainer worked --------------------------------------------------------------------------------------------------

GOOD = TrainingFindings("fine_tuning", 0, (2.0, 0.5), 0.9, True, True)


@pytest.mark.parametrize(("changes", "state", "says"), [
    ({}, "pass", say("trainer.loss", first=2.0, last=0.5, seed=0, fell=1, trainings=1)),
    ({"train_loss": (2.0, 2.0)}, "fail", say("trainer.loss", first=2.0, last=2.0, seed=0, fell=0, trainings=1)),
    ({"overfitted": 0.5}, "fail", say("trainer.rows", share=0.5, needed=0.8)),
    ({"template_matches": False}, "fail", say("trainer.template", same=False)),
    ({"asked_as_trained": False}, "fail", say("trainer.asking", same=False)),
    ({"overfitted": None}, "unknown", say("trainer.rows_unknown", reason="")),
    ({"train_loss": (1.0,)}, "unknown", say("trainer.loss_unknown")),
    ({"template_matches": None}, "unknown", say("trainer.template_unknown")),
])  # fmt: skip
def test_trainer(changes: dict[str, Any], state: str, says: Statement) -> None:
    found = trainer_worked(case(scores(0.4), [scores(0.8)], training=(replace(GOOD, **changes),)))
    assert (found.state, found.action is not None) == (state, state != "pass")
    assert found.found == says, "what decides stands first"


def test_one_seed_whose_loss_rose_is_enough_to_fail() -> None:
    worse = TrainingFindings("fine_tuning", 1, (2.0, 3.0))
    found = trainer_worked(case(scores(0.4), [scores(0.8)], training=(GOOD, worse)))
    assert found.state == "fail"
    assert found.found == say("trainer.loss", first=2.0, last=3.0, seed=1, fell=1, trainings=2)


# --- retention -------------------------------------------------------------------------------------------------------


def suites(before: np.ndarray, after: np.ndarray, name: ProbeName = "retention") -> tuple[Probe, ...]:
    return probe(name, "", before), probe(name, "fine_tuning", after)


def kept(before: np.ndarray, after: np.ndarray, **options: Any) -> Guard:
    return nothing_else_broke(case(scores(0.4), [scores(0.8)], probes=suites(before, after), **options))


def dropped(n: int, lost: int, gained: int) -> tuple[np.ndarray, np.ndarray]:
    before, after = np.zeros(n), np.zeros(n)
    before[: n // 2] = after[: n // 2] = 1.0
    after[:lost], after[n // 2 : n // 2 + gained] = 0.0, 1.0
    return before, after


def test_a_model_that_forgot_fails_with_its_figures() -> None:
    found = kept(*dropped(400, 80, 4))
    assert found.state == "fail"
    values = found.found.values
    assert (values["suite"], values["before"], values["after"], values["n"]) == ("retention", 0.5, 0.31, 400)
    assert values["judged"].key == "retention.lost"


def test_a_model_that_kept_what_it_knew_holds() -> None:
    found = kept(*dropped(2000, 20, 20))
    assert found.state == "pass"
    assert found.found.values["judged"].key == "retention.excluded"
    assert found.found.values["judged"].values["margin"] == 0.05


@pytest.mark.parametrize(("n", "lost", "gained"), [(60, 4, 4), (60, 5, 2), (2000, 120, 30)])
def test_what_so_few_questions_cannot_show_is_not_known(n: int, lost: int, gained: int) -> None:
    assert kept(*dropped(n, lost, gained)).state == "unknown"


def test_the_margin_is_the_users() -> None:
    assert kept(*dropped(2000, 20, 20), retention_margin=0.002).state == "unknown"
    assert kept(*dropped(2000, 120, 30), retention_margin=0.1).state == "pass"


def test_one_suite_that_broke_is_enough_and_stands_first() -> None:
    good, bad = suites(*dropped(2000, 20, 20)), suites(*dropped(400, 80, 4), name="refusals")
    found = nothing_else_broke(case(scores(0.4), [scores(0.8)], probes=(*good, *bad)))
    assert found.state == "fail"
    assert [one.values["suite"] for one in (found.found, *found.figures)] == ["refusals", "retention"]


def test_the_smallest_drop_is_what_the_normal_distribution_says() -> None:
    error = 0.02
    power = norm.sf(norm.isf(0.05) - smallest_drop(error) / error)
    assert power == pytest.approx(0.8)


@pytest.mark.parametrize(("n", "state"), [(3, "unknown"), (58, "unknown"), (59, "pass")])
def test_unchanged_answers_exclude_only_what_so_many_would_have_shown(n: int, state: str) -> None:
    found = kept(np.ones(n), np.ones(n))
    assert found.state == state, "0.95 ** 58 is above 5 %, 0.95 ** 59 is not"
    assert (found.found.values["judged"].key == "retention.unseen") == (state == "unknown")


def test_a_base_model_that_knew_nothing_has_nothing_to_lose() -> None:
    before = scores(0.03, 1, 2000)
    found = kept(before, before)
    assert found.state == "unknown"
    assert found.found.values["judged"] == say("retention.nothing_to_lose", margin=0.05)
    assert found.action.what == say("retention.bring_answerable")


def test_twins_are_one_cluster() -> None:
    before, after = dropped(400, 30, 10)
    pairs = [f"g{at // 2}" for at in range(400)]
    probes = (
        Probe("retention", "", 0, outcomes(before, pairs)),
        Probe("retention", "fine_tuning", 0, outcomes(after, pairs)),
    )
    twins = nothing_else_broke(case(scores(0.4), [scores(0.8)], probes=probes))
    alone = kept(before, after)
    assert twins.found != alone.found, "neighbours that are lost together count less"


# --- consistency -----------------------------------------------------------------------------------------------------


def flips(label: str, condition: Any, share: float, n: int = 200, unchanged: str = "") -> Flips:
    return Flips(label, condition, {f"t{at}": v for at, v in enumerate(scores(share, 5, n))}, "", unchanged)


def consistency(ours: float, theirs: float, n: int = 200) -> Guard:
    found = (flips("fine_tuning", "reworded", ours, n), flips(FEW.label, "reworded", theirs, n))
    return consistent(case(scores(0.4), [scores(0.8)], flips=found))


def test_a_tune_that_flips_far_more_often_fails() -> None:
    found = consistency(0.4, 0.05)
    assert found.state == "fail"
    assert (found.found.key, found.found.values["other"]) == ("consistency.changes", FEW.label)
    assert found.found.values["gap"].estimate == pytest.approx(0.35)
    first = found.figures[0].values
    assert (first["condition"], first["n"], first["share"].estimate) == ("reworded", 200, pytest.approx(0.4))


def test_one_that_flips_no_more_often_holds_and_a_little_more_is_allowed() -> None:
    assert consistency(0.05, 0.1).state == "pass"
    assert consistency(0.07, 0.05).state == "pass"


def test_ten_items_show_nothing() -> None:
    found = consistency(0.1, 0.1, n=10)
    assert found.state == "unknown"
    assert found.action.adds == "--checks full"


def test_seeds_count_against_a_strategy_that_has_one_only() -> None:
    found = consistent(case(scores(0.4), [scores(0.8)], flips=(
        flips("fine_tuning", "seeds", 0.5), flips("fine_tuning", "order", 0.0, unchanged="it has no demonstrations"),
        flips(FEW.label, "order", 0.0),
    )))  # fmt: skip
    assert found.state == "fail", "25 points more often over the two ways"
    assert [one.values["unchanged"] for one in found.figures] == ["", "it has no demonstrations", ""]


def test_form_and_waiting_times_are_figures_of_it() -> None:
    wait = Interval(1.5, 1.2, float("inf"))
    told = Service("fine_tuning", 90, Interval(0.9, 0.8, 0.95), "is JSON", (wait, wait, wait), "in batches of 64")
    found = consistent(case(scores(0.4), [scores(0.8)], service=(told,)))
    assert found.state == "unknown"
    assert found.figures == (
        say("consistency.served", label=told.label, valid=told.valid, form="is JSON", waits=told.latency,
            load="in batches of 64"),
    )  # fmt: skip


# --- all of them -----------------------------------------------------------------------------------------------------


def test_without_probes_all_four_are_unknown_and_say_why() -> None:
    plain = evidence(FEW, TUNED)
    for guard in (skill_or_format, trainer_worked, nothing_else_broke, consistent):
        found = guard(plain)
        assert found.state == "unknown"
        assert found.found == say("guard.not_asked_for")
        assert found.method is not None


def test_a_reason_why_not_reaches_the_reader() -> None:
    skipped = (Skipped("suites", "", "no such file"), Skipped("paraphrase", "fine_tuning", "it broke"))
    found = replace(evidence(FEW, TUNED), findings=Findings(checks="quick", skipped=skipped))
    assert nothing_else_broke(found).found == say("guard.failed", reason="no such file")
    assert consistent(found).found == say("guard.failed", reason="it broke")


@pytest.mark.parametrize("broken", [
    {"training": (replace(GOOD, overfitted=0.1),)},
    {"probes": suites(*dropped(400, 80, 4))},
    {"flips": (flips("fine_tuning", "reworded", 0.4), flips(FEW.label, "reworded", 0.0))},
    {"probes": (probe("constrained", FEW.label, scores(0.8, 2)), probe("constrained", "fine_tuning", scores(0.8, 2)))},
])  # fmt: skip
def test_each_of_them_withholds_a_yes(broken: dict[str, Any]) -> None:
    few, tuned = scores(0.4, 1), scores(0.8, 2)
    assert decide(case(few, [tuned])).answer == "fine_tune"
    verdict = decide(case(few, [tuned], **broken))
    assert verdict.answer == "not_yet"
    assert [guard.state for guard in verdict.guards].count("fail") == 1
    failed = tuple(guard.found for guard in verdict.guards if guard.state == "fail")
    assert verdict.conclusion == say("headline.withheld", leaning="", broken=failed)


def test_no_guard_stands_there_twice() -> None:
    names = [guard.name for guard in judge_guards(evidence(FEW, TUNED))]
    assert len(names) == len(set(names)) == 12
