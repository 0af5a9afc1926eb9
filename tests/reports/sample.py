"""A realistic comparison made from the dataclasses: nine strategies, two with failures, one without a price."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, fields, replace
from types import ModuleType
from typing import Any, Literal

import numpy as np

from advisor.core.data_check import DataFindings, Leak, SuspiciousLabel
from advisor.core.shipped import shipped
from advisor.core.statement import Action, Statement, say
from advisor.core.types import FitCost, Interval, Outcome, Run, Usage
from advisor.decision.comparison import Comparison
from advisor.decision.evidence import Evidence, Flip, Guard, Verdict, VerdictAnswer
from advisor.decision.findings import Findings
from advisor.decision.information import Information, Step
from advisor.decision.request import ComparisonRequest
from advisor.economics.amounts import Range
from advisor.economics.break_even import BreakEven, Dominance
from advisor.economics.inputs import Economics
from advisor.economics.money import Money, StrategyMoney
from advisor.economics.scenarios import Scenario
from advisor.stats.paired import Difference
from advisor.stats.summaries import Disagreement, StrategySummary

ECONOMICS = Economics(
    requests_per_month=Range(20_000, 60_000), usd_per_correct_answer=0.002, usd_per_label=0.1, engineering_hours=6.0
)
N = 200
PIVOT = "fine_tuning"
OWN_MACHINE = say("pricing.around_the_clock", usd_per_hour=0.1, usd_per_month=73.05)
COMMAND = "advisor compare support-tickets --model smollm2 --seeds 2 --output report.html"
HOSTILE = (
    "<script>alert(1)</script><img src=http://evil.invalid/x onerror=alert(2)>\x1b[31m\x1b]0;owned\x07\x9b2J\u202e"
    "[bold red]rich[/] {{7*7}} {% raw %} ```\n@everyone | x | ![i](http://evil.invalid/y) =1+1 \x00 javascript:alert(3)"
)


@dataclass(frozen=True)
class Plan:
    """How one strategy of the sample does."""

    label: str
    kind: str
    quality: float
    usd: float | None
    seconds: float
    fit_seconds: float = 0.0
    tuned: bool = False
    seeds: tuple[int, ...] = (0,)
    failed: int = 0


PLANS = (
    Plan("majority", "floor", 0.14, 0.0, 0.0),
    Plan("nearest_example", "floor", 0.52, 0.0004, 0.004, 1.2),
    Plan("zero_shot", "prompting", 0.37, 0.031, 0.42),
    Plan("few_shot(k=8)", "prompting", 0.58, 0.11, 1.31, 96.0),
    Plan("rag", "rag", 0.61, 0.124, 1.48, 132.0, failed=3),
    Plan("function_calling", "tools", 0.55, 0.203, 2.9, failed=11),
    Plan("embedding_classifier", "classifier", 0.66, 0.0009, 0.006, 3.1),
    Plan("my_rules", "custom", 0.49, None, 0.001),
    Plan(PIVOT, "fine_tuning", 0.74, 0.029, 0.35, 214.0, tuned=True, seeds=(0, 1)),
)


def report(module: str) -> ModuleType:
    """Return one module of the reports, loaded as a bare checkout or an installation has it."""
    shipped("reports")
    return importlib.import_module(f"advisor.reports.{module}")


def comparison(answer: VerdictAnswer = "fine_tune", payload: str = "") -> Comparison:
    """Build the sample; `payload` is put in front of every text that a stranger could have written."""
    rng = np.random.default_rng(7)
    runs = tuple(_run(plan, seed, rng, payload) for plan in PLANS for seed in plan.seeds)
    summaries = tuple(_summary(plan, runs, payload) for plan in PLANS)
    evidence = Evidence(
        request=ComparisonRequest("support-tickets", "smollm2", economics=ECONOMICS),
        metric="label_accuracy",
        n_train=400,
        n_dev=80,
        n_test=N,
        strategies=summaries,
        pivot=PIVOT,
        differences=tuple(_difference(plan, runs) for plan in PLANS if plan.label != PIVOT),
        money=_money(answer),
        disagreements=tuple(_disagreement(number, payload) for number in range(4)),
        findings=Findings(data=_data(payload)),
        information=_information(answer, payload),
    )
    return Comparison(
        id="c4f1e2a90b7d",
        evalset="support-tickets",
        evidence=evidence,
        verdict=_verdict(answer, payload),
        runs=runs,
        skipped={"fine_tuning_tools": f"{payload}the training examples carry no tool calls"},
        notes=(f"{payload}2 of 200 test examples are near-copies of training examples.",),
        environment={
            "command": COMMAND,
            "date": "2026-01-15 10:32 UTC",
            "machine": "2 cores, 3 GB",
            "tuneworthy": "0.1.0",
            "transformers": "5.3.0",
        },
    )


def changed(base: Comparison, **parts: Any) -> Comparison:
    """Return `base` with other parts; those of its request and evidence by their own names."""
    request = {name: parts.pop(name) for name in ("economics", "model") if name in parts}
    own = {field.name for field in fields(Comparison)}
    inside = {name: parts.pop(name) for name in list(parts) if name not in own}
    evidence = replace(base.evidence, request=replace(base.evidence.request, **request), **inside)
    return replace(base, evidence=evidence, **parts)


LEAKS: tuple[tuple[Literal["exact", "minhash", "embedding"], float], ...] = (
    ("exact", 1.0),
    ("minhash", 0.875),
    ("embedding", 0.984),
)


def _data(payload: str) -> DataFindings:
    leaks = tuple(
        Leak(
            f"{payload}t{n}",
            f"{payload}a{n}",
            kind,
            similarity,
            f"{payload}Where is my parcel?",
            f"{payload}where",
            "lost",
        )
        for n, (kind, similarity) in enumerate(LEAKS)
    )
    odd = tuple(SuspiciousLabel(f"a{n}", f"{payload}It never came", "late", f"{payload}lost", 0.9) for n in range(25))
    return DataFindings(
        leaks=leaks,
        conflicts=((f"{payload}a1", "a2"),),
        label_noise=Interval(0.05, 0.03, 0.08),
        suspicious=odd,
        largest_class=0.4,
        smallest_class=0.002,
        n_train=400,
        checked="the same question",
    )


def without_money(base: Comparison) -> Comparison:
    """Return `base` with no price, no value and no volume known."""
    unknown = tuple(StrategyMoney(s.label, None, None, 0.0) for s in base.strategies)
    held = Dominance(PIVOT, "", 0.61, None, None, None, None, ())
    verdict = replace(base.verdict, flips=())
    steps = tuple(replace(s, usd=None, worth_usd=None, chance_decides=None) for s in base.information.steps)
    base = changed(base, verdict=verdict, information=Information(None, steps, None))
    return changed(base, economics=Economics(), money=Money(unknown, None, None, None, None, (), dominance=held))


def _run(plan: Plan, seed: int, rng: np.random.Generator, payload: str) -> Run:
    usage = Usage(210, 0, 6, 1, plan.seconds, plan.seconds)
    outcomes = []
    for number in range(N):
        if number < plan.failed:
            outcomes.append(Outcome(f"t{number}", None, None, f"{payload}time-out after 30 s", usage))
        else:
            hit = float(rng.random() < plan.quality)
            outcomes.append(Outcome(f"t{number}", f"{payload}{'refund' if hit else 'billing'}", hit, usage=usage))
    fit = FitCost(
        plan.fit_seconds, Usage(9000, 0, 240, 40, plan.fit_seconds), 400, 180.0 * plan.tuned, 48000 * plan.tuned
    )
    return Run(
        f"run-{plan.label}-{seed}", plan.label, {"k": 8}, seed, "smollm2", "support-tickets", "5b0e77a1c2d3e4f5",
        "label_accuracy", tuple(outcomes), fit, plan.tuned, plan.kind, versions={"advisor": "0.1.0"},
    )  # fmt: skip


def _scores(label: str, runs: tuple[Run, ...]) -> np.ndarray:
    """Mean score of each example over the seeds; NaN where it failed."""
    mine = [[np.nan if o.score is None else o.score for o in r.outcomes] for r in runs if r.strategy == label]
    mean: np.ndarray = np.asarray(mine, dtype=float).mean(axis=0)
    return mean


def _interval(values: np.ndarray) -> Interval:
    mean, half = float(np.nanmean(values)), 1.96 * float(np.nanstd(values)) / float(np.sqrt(len(values)))
    return Interval(mean, max(mean - half, 0.0), min(mean + half, 1.0), 0.95, "BCa bootstrap over examples")


def _summary(plan: Plan, runs: tuple[Run, ...], payload: str) -> StrategySummary:
    scores = _scores(plan.label, runs)
    spoken = plan.kind != "floor" and plan.seconds > 0
    halves = {"short": (float(np.nanmean(scores[:80])), 80), f"{payload}long": (float(np.nanmean(scores[80:])), 120)}
    return StrategySummary(
        label=plan.label,
        strategy=plan.label.partition("(")[0],
        kind=plan.kind,
        tuned=plan.tuned,
        seeds=plan.seeds,
        n=N - plan.failed,
        failed=plan.failed,
        undefined=0,
        quality=_interval(scores),
        usage=Usage(210, 0, 6, 1, plan.seconds, plan.seconds),
        latency_p50=plan.seconds if spoken else None,
        latency_p95=plan.seconds * 2.3 if spoken else None,
        fit=FitCost(plan.fit_seconds, Usage(), 400, 180.0 * plan.tuned, 48000 * plan.tuned),
        slices=halves,
        errors={f"{payload}time-out after 30 s": plan.failed} if plan.failed else {},
    )


def _difference(plan: Plan, runs: tuple[Run, ...]) -> Difference:
    gap = _scores(PIVOT, runs) - _scores(plan.label, runs)
    mean, half = float(np.nanmean(gap)), 1.96 * float(np.nanstd(gap)) / float(np.sqrt(N))
    near = Interval(mean, mean - half, mean + half, 0.95, "BCa")
    wide = Interval(mean, mean - 1.4 * half, mean + 1.4 * half, 0.95, "max-T")
    real = wide.low > 0
    p = 0.0004 if real else 0.21
    return Difference(PIVOT, plan.label, N, N, near, wide, p, p * 2, "mid-p McNemar", 0.3, 0.08, 0.99, real)


def _money(answer: VerdictAnswer) -> Money:
    strategies = []
    for plan in PLANS:
        cost = None if plan.usd is None else Interval(plan.usd, plan.usd * 0.94, plan.usd * 1.07)
        once = None if plan.usd is None else 640.0 if plan.tuned else 40.0 if plan.kind == "classifier" else 0.0
        gain = None if plan.usd is None else Interval(plan.quality * 800, plan.quality * 500, plan.quality * 1100)
        strategies.append(StrategyMoney(plan.label, cost, once, 0.0, gain, 0.94 if plan.tuned else 0.01))
    yes = answer == "fine_tune"
    point = BreakEven(
        PIVOT, "embedding_classifier", Interval(378_000, 190_000, float("inf")), 0.06,
        Interval(0.0163, 0.0081, 0.041), Interval(4.1, 2.2, 9.6) if yes else None,
    )  # fmt: skip
    chance = {"fine_tune": 0.94, "do_not_fine_tune": 0.04, "not_yet": 0.57}[answer]
    return Money(
        tuple(strategies), point, chance, Interval(312.0, -95.0, 840.0), 41.0,
        ("majority", "nearest_example", "embedding_classifier", PIVOT),
        basis={
            "requests_per_month": say("assumption.amount", unit="count", ends=(20_000.0, 60_000.0), yours=True),
            "usd_per_correct_answer": say("assumption.amount", unit="usd", ends=(0.002,), yours=True),
            "usd_per_hour": say("assumption.amount", unit="usd", ends=(0.1,), yours=False),
        },
        scenarios=tuple(
            Scenario(PIVOT, name, how, Interval(usd, usd * 0.9, usd * 1.1), month, Interval(500.0 - month, 9.0, 900.0))
            for name, how, usd, month in (
                (say("scenario.as_measured"), say("pricing.as_measured", merged=False), 0.029, 0.0),
                (say("scenario.unmerged_adapter"), say("pricing.slowdown", times=1.7, yours=False), 0.0493, 0.0),
                (say("scenario.own_machine"), OWN_MACHINE, 0.0, 73.05),
            )
        ),
    )  # fmt: skip


def _verdict(answer: VerdictAnswer, payload: str) -> Verdict:
    other, said = "embedding_classifier", f"{payload}function_calling"
    conclusions = {
        "fine_tune": say("headline.better_and_not_dearer", tuned=f"{payload}{PIVOT}", rival=other, lead=0.08),
        "do_not_fine_tune": say("headline.other_is_as_good", instead=f"{payload}{other}", tuned=PIVOT, margin=0.02),
        "not_yet": say("headline.nothing_against", tuned=f"{payload}{PIVOT}"),
    }
    return Verdict(
        answer=answer,
        recommended=PIVOT if answer == "fine_tune" else other,
        conclusion=conclusions[answer],
        grounds=(
            say("reason.quality", tuned=PIVOT, other=other, ours=0.74, theirs=0.66, n=N, lead=LEAD, real=True),
            say("reason.cost", tuned=PIVOT, other=other, ours=0.029, theirs=0.0009, once=640.0),
            say("reason.broken", guard="nothing missing", found=say("said", text=f"{payload}it failed twice")),
        ),
        turning_points=(
            say("turn.value", at=0.0081, above=True, yours=(0.002,)),
            say("turn.volume", at=190_000.0, above=True, yours=(20_000.0, 60_000.0)),
        ),
        action=Action(say("step.test_examples", more=150, to_label=150), "advisor compare support-tickets --limit 350"),
        rule="expected net benefit",
        flips=FLIPS,
        guards=(
            Guard("strong baseline", "pass", say("baseline.held", against=("few_shot", "rag"), budgets=())),
            Guard("calls answered", "fail", say("missing.too_many", shares=((said, 0.055),), allowed=0.01)),
            Guard("no leak", "unknown", say("guard.not_looked_at")),
            Guard(
                "retention",
                "unknown",
                _kept("retention", 0.50, 0.49),
                method=say("said", text=f"{payload}the same questions were asked twice"),
                action=Action(
                    say("retention.ask_more"), "advisor compare support-tickets --checks full", "--checks full"
                ),
                figures=(_kept("refusals", 0.33, 0.31), say("said", text=payload)),
            ),
        ),
    )


def _kept(suite: str, before: float, after: float) -> Statement:
    judged = say("retention.not_excluded", margin=0.05)
    return say("retention.kept", suite=suite, before=before, after=after, n=150, judged=judged)


def _information(answer: VerdictAnswer, payload: str) -> Information:
    label = Action(say("step.test_examples", more=150, to_label=150), "advisor compare support-tickets")
    train = say("step.seed", seeds=3)
    assumed = say("basis.assumed_lift", lift=0.03, sd=0.06, other=f"{payload}rag")
    steps = (
        Step("test_examples", label, 15.02, 31.4, 0.62, say("said", text=f"{payload}labels as stated")),
        Step("seed", Action(train, f"{COMMAND} --seeds 3"), 0.01, 0.004, 0.03, say("basis.like_trainings")),
        Step("strategy", Action(say("step.strategy", name="optimised_prompt"), COMMAND), None, 12.0, 0.21, assumed),
    )
    return Information(41.0, steps, steps[0] if answer == "not_yet" else None)


LEAD = Interval(0.08, 0.01, 0.15)
FLIPS = (
    Flip("value", "usd", 0.002, 0.001, 0.004, -95.0, 840.0, 0.0012),
    Flip("volume", "count", 36_000.0, 20_000.0, 60_000.0, 40.0, 700.0, 14_300.0),
    Flip("lead", "points", 0.08, 0.01, 0.15, -520.0, 610.0, 0.031),
    Flip("engineering", "hours", 6.0, 3.0, 12.0, 612.0, -288.0, 9.1),
    Flip("price", "times", 1.0, 0.5, 2.0, 330.0, 280.0, 11.0),
    Flip("retraining", "count", 0.0, 0.0, 4.0, 312.0, 312.0, None),
)


def _disagreement(number: int, payload: str) -> Disagreement:
    asked = "I was charged twice for the March invoice and nobody answers the phone. What now?\nOrder 4471."
    return Disagreement(
        f"t{number}",
        f"{payload}{asked}",
        f"{payload}duplicate_charge",
        {
            PIVOT: (f"{payload}duplicate_charge", 1.0),
            "few_shot(k=8)": (f"{payload}billing_question " + "and so on " * (40 * (number == 1)), 0.0),
            "my_rules": ('=HYPERLINK("http://evil.invalid")', None),
        },
    )
