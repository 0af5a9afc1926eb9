"""What every written report shows, in words and rounded figures; the renderers only lay it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.core.types import Outcomes
from advisor.decision.comparison import Comparison
from advisor.decision.evidence import VerdictAnswer
from advisor.decision.words import sentence
from advisor.economics.break_even import BreakEven, Dominance
from advisor.economics.money import StrategyMoney
from advisor.stats.paired import Difference
from advisor.stats.summaries import StrategySummary, group_runs

from . import numbers
from .safe import line, shorten

ANSWERS: Mapping[VerdictAnswer, str] = {
    "fine_tune": "Yes, fine-tune",
    "do_not_fine_tune": "No, do not fine-tune",
    "not_yet": "The evidence does not decide yet",
}
RULES: Mapping[str, str] = {
    "expected net benefit": "what each strategy brings minus what it costs",
    "dominance": "better and not dearer, or cheaper and not worse; a volume, value or price is unknown",
}
STATES: Mapping[str, str] = {"pass": "holds", "fail": "does not hold", "unknown": "not known"}
KINDS: Mapping[str, str] = {
    "floor": "free floor",
    "fine_tuning": "fine-tuning",
    "rag": "retrieval",
    "tools": "function calling",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy in the table; every field is ready to print, `–` where unknown.

    `lead` is this strategy minus the pivot, with the interval that is valid for all rows at once; `clear` says in words
    whether it is real. `marks` are the words to stand beside the name (`recommended`, `reference`).
    """

    label: str
    kind: str
    tuned: bool
    marks: tuple[str, ...]
    quality: str
    quality_bounds: str
    lead: str
    lead_bounds: str
    clear: str
    cost: str
    cost_bounds: str
    latency_p50: str
    latency_p95: str
    fit_usd: str
    fit_time: str
    failed: str
    cut: str
    n: str
    seeds: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a list: what it is, the figure, and what it means in plain words."""

    name: str
    value: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """A sentence, and the line to type that stands behind it; empty where there is none."""

    words: str
    command: str

    def __str__(self) -> str:
        return f"{self.words} {self.command}".strip()


def rows(comparison: Comparison) -> tuple[Row, ...]:
    """Return the table, best mean score first; strategies without a score stand last."""
    money = {m.label: m for m in comparison.money.strategies}
    leads = {d.b: d for d in comparison.differences if d.a == comparison.pivot}
    ranked = sorted(comparison.strategies, key=_rank)
    return tuple(_row(s, money.get(s.label), leads.get(s.label), comparison) for s in ranked)


def _rank(summary: StrategySummary) -> float:
    return -summary.quality.estimate if summary.quality else float("inf")


def _row(s: StrategySummary, money: StrategyMoney | None, lead: Difference | None, comparison: Comparison) -> Row:
    cost = money.usd_per_1000_requests if money else None
    marks = {"recommended": s.label == comparison.verdict.recommended, "reference": s.label == comparison.pivot}
    return Row(
        label=s.label,
        kind=KINDS.get(s.kind, s.kind),
        tuned=s.tuned,
        marks=tuple(word for word, holds in marks.items() if holds),
        quality=numbers.score(s.quality.estimate if s.quality else None),
        quality_bounds=numbers.bounds(s.quality) if s.quality else "",
        lead=numbers.signed(lead.interval.turned().estimate) if lead else numbers.MISSING,
        lead_bounds=numbers.bounds(lead.simultaneous.turned(), numbers.signed) if lead else "",
        clear="" if lead is None else "clear" if lead.real else "could be chance",
        cost=numbers.usd(cost.estimate if cost else None),
        cost_bounds=numbers.bounds(cost, numbers.usd) if cost else "price unknown",
        latency_p50=numbers.seconds(s.latency_p50),
        latency_p95=numbers.seconds(s.latency_p95),
        fit_usd=numbers.usd_once(money.one_off_usd if money else None),
        fit_time=numbers.seconds(s.fit.seconds),
        failed=numbers.count(s.failed),
        cut=numbers.count(s.cut),
        n=numbers.count(s.n),
        seeds=numbers.count(len(s.seeds)),
    )


def money_facts(comparison: Comparison) -> tuple[Fact, ...]:
    """Return the money side as facts; only what is known is listed."""
    money, economics = comparison.money, comparison.economics
    horizon = numbers.months(money.months)
    facts = []
    if money.probability_tuned_best is not None:
        meaning = "that a tuned strategy brings more, after all costs, than every other one"
        facts.append(Fact("Chance that fine-tuning pays best", numbers.percent(money.probability_tuned_best), meaning))
    if money.expected_gain_usd is not None:
        gain = numbers.between(money.expected_gain_usd, numbers.usd)
        facts.append(Fact(f"Gain from fine-tuning over {horizon}", gain, "against the best strategy without tuning"))
    if money.expected_regret_usd is not None:
        regret = numbers.usd(money.expected_regret_usd)
        facts.append(Fact("Cost of being wrong", regret, "what choosing now loses on average, against certainty"))
    if money.dominance is not None and money.probability_tuned_best is None:
        facts.extend(_dominance(money.dominance, numbers.points(economics.margin)))
    facts.extend(_break_even(money.break_even) if money.break_even else ())
    facts.extend(_not_worse(comparison))
    if money.pareto:
        meaning = "nothing else is both better and cheaper"
        facts.append(Fact("Best buys", ", ".join(money.pareto), meaning))
    if economics.target_quality is not None:
        target = f"Cheapest that surely reaches {numbers.score(economics.target_quality)}"
        facts.append(Fact(target, money.cheapest_at_target or "none", "its lower bound reaches the target"))
    return tuple(facts)


def _dominance(found: Dominance, margin: str) -> list[Fact]:
    """Return what can be said of the choice while the volume or the value of an answer is unknown."""
    name = f"Chance that {found.tuned} is the best by more than {margin}"
    facts = [Fact(name, numbers.percent(found.better), "whatever it costs")]
    if found.better_and_not_dearer is not None:
        value = numbers.percent(found.better_and_not_dearer)
        facts.append(Fact("Chance of that at no higher price", value, "for each request"))
    if found.cheaper_and_as_good is not None:
        value = numbers.percent(found.cheaper_and_as_good)
        facts.append(Fact("Chance that it is as good and pays back", value, "by what it saves on requests"))
    if found.needless is not None:
        meaning = f"{found.instead} is not worse by more than {margin}, and not dearer"
        facts.append(Fact("Chance that fine-tuning is needless", numbers.percent(found.needless), meaning))
    return facts


def _not_worse(comparison: Comparison) -> list[Fact]:
    """Return whether the tuned strategy is shown to be not worse than its alternative, and to be the same."""
    point, margin = comparison.money.break_even, numbers.points(comparison.economics.margin)
    pairs = (one for one in comparison.differences if point and (one.a, one.b) == (point.tuned, point.alternative))
    pair = next(pairs, None)
    if pair is None or pair.not_worse is None:
        return []
    who = f"{pair.a} and {pair.b}, {margin}; below 0.05 it is shown, for this pair alone"
    how = "t test on the clustered standard error"
    return [
        Fact("Not worse by the margin", _p(pair.not_worse.p_value), f"one-sided {how}: {who}"),
        Fact("Equal within the margin", _p(pair.p_equivalent), f"two one-sided {how}: {who}"),
    ]


def _p(value: float | None) -> str:
    shown = numbers.p_value(value)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def _break_even(point: BreakEven) -> list[Fact]:
    facts = []
    if point.usd_per_correct_answer is not None:
        value = numbers.between(point.usd_per_correct_answer, numbers.usd)
        meaning = f"{point.tuned} is worth its price above {point.alternative} if one more correct answer is worth more"
        facts.append(Fact("Break-even value of a correct answer", value, meaning))
    if point.volume is not None:
        volume = numbers.between(point.volume, numbers.about)
        meaning = f"with more requests a month than this, {point.tuned} pays for itself against {point.alternative}"
        facts.append(Fact("Break-even volume", volume, meaning))
    if point.probability_never is not None:
        never = numbers.percent(point.probability_never)
        facts.append(Fact("Chance that no volume pays", never, "over everything that is uncertain here"))
    if point.payback_months is not None:
        facts.append(Fact("Pay-back", numbers.between(point.payback_months, numbers.months), "at the stated volume"))
    return facts


def failures(comparison: Comparison) -> tuple[Fact, ...]:
    """Return what failed, was cut off, went unscored or was not run, and why; empty where nothing did."""
    facts = []
    first = _first_examples(comparison)
    for summary in comparison.strategies:
        messages = sorted(summary.errors.items(), key=lambda item: -item[1])
        seen = "; ".join(_error(text, times, first.get((summary.label, text), "")) for text, times in messages)
        if summary.failed or summary.errors:
            facts.append(Fact(summary.label, f"{numbers.count(summary.failed)} without an answer", seen))
        if summary.cut:
            why = "for want of room, twice; scored as far as it got"
            facts.append(Fact(summary.label, f"{numbers.count(summary.cut)} cut off", why))
        if summary.undefined:
            facts.append(Fact(summary.label, f"{numbers.count(summary.undefined)} without a score", "metric undefined"))
    for run in comparison.runs:
        if run.error:
            facts.append(Fact(f"{run.strategy}, seed {run.seed}", "stopped", run.error))
    facts.extend(Fact(label, "not run", why) for label, why in comparison.skipped.items())
    return tuple(facts)


def _first_examples(comparison: Comparison) -> dict[tuple[str, str], str]:
    """Return by strategy and error the first example that it came with."""
    first: dict[tuple[str, str], str] = {}
    for group in group_runs(comparison.runs) if comparison.runs else ():
        for run in group.runs:
            for outcome in Outcomes.of(run.outcomes).failures():
                first.setdefault((group.label, outcome.error), shorten(line(outcome.example_id), 60))
    return first


def _error(text: str, times: int, example: str) -> str:
    """Say an error, how often it came, and with which example first."""
    if not example:
        return f"{text} ({numbers.count(times)}×)"
    return f"{text} (example {example})" if times == 1 else f"{text} ({numbers.count(times)}×, first example {example})"


def subject(comparison: Comparison) -> str:
    """Return one line on what was compared: eval set, metric, model, sizes."""
    sizes = (comparison.n_train, comparison.n_dev, comparison.n_test)
    train, dev, test = (numbers.count(size) for size in sizes)
    parts = (
        *(comparison.evalset, comparison.model, f"scored by {comparison.metric}"),
        f"{train} training, {dev} development, {test} test examples",
        imported(comparison),
    )
    return " · ".join(filter(None, parts))


def imported(comparison: Comparison) -> str:
    """Return how many of the runs came from another machine; empty where none did."""
    count = sum(run.imported for run in comparison.runs)
    if not count:
        return ""
    return "imported" if count == len(comparison.runs) else f"{count} of {len(comparison.runs)} runs imported"


def slices(comparison: Comparison) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Return one line a slice: its name, its n, and the mean score of every row of `rows`, in that order."""
    by_label = {s.label: s for s in comparison.strategies}
    ranked = [by_label[row.label] for row in rows(comparison)]
    names = sorted({name for summary in ranked for name in summary.slices})
    found = []
    for name in names:
        parts = [summary.slices.get(name) for summary in ranked]
        n = max(part[1] for part in parts if part)
        found.append((name, numbers.count(n), tuple(numbers.score(p[0] if p else None) for p in parts)))
    return tuple(found)


def level(comparison: Comparison) -> str:
    """Return the level of the intervals in words: ``95 of 100``."""
    levels = [s.quality.level for s in comparison.strategies if s.quality]
    return f"{numbers.percent(levels[0] if levels else 0.95).removesuffix('%')} of 100"


def money_method(comparison: Comparison) -> str:
    """Return how the money side was computed, with the level of its intervals; empty where it has none."""
    point = comparison.money.break_even
    found = [comparison.money.expected_gain_usd, *((point.volume, point.usd_per_correct_answer) if point else ())]
    known = [interval for interval in found if interval]
    if not known:
        return ""
    share = numbers.percent(known[0].level).removesuffix("%")
    return (
        "How this was computed: scores, tokens, seconds and your ranges were drawn together thousands of times; what "
        f"stands between two figures holds in {share} of 100 draws."
    )


def assumptions(comparison: Comparison) -> tuple[Fact, ...]:
    """Return every input of the money side, yours or a default."""
    return tuple(Fact(name.replace("_", " "), sentence(one)) for name, one in comparison.money.basis.items())


def methods(comparison: Comparison) -> str:
    """Return the methods of the score intervals, as the statistics named them."""
    methods = {s.quality.method for s in comparison.strategies if s.quality and s.quality.method}
    return "; ".join(sorted(methods)) or "resampling of the test examples"


def next_step(comparison: Comparison) -> Typed:
    """Return what to do next."""
    action = comparison.verdict.action
    return Typed(f"{sentence(action.what)}{':' if action.command else ''}", action.command)


def reproduction(comparison: Comparison) -> tuple[str, tuple[Fact, ...]]:
    """Return the command line (possibly empty) and the facts needed to run the same again."""
    environment = dict(comparison.environment)
    command = environment.pop("command", "")
    seeds = sorted({seed for summary in comparison.strategies for seed in summary.seeds})
    facts = [Fact("comparison", comparison.id), Fact("seeds", ", ".join(str(seed) for seed in seeds))]
    prints = sorted({run.evalset_fingerprint for run in comparison.runs})
    facts.append(Fact("eval set fingerprint", ", ".join(prints) or numbers.MISSING))
    adapted = {one.label: one.selection.get("layers") for one in comparison.strategies}
    facts += [Fact(f"trained by {label}", layers) for label, layers in adapted.items() if isinstance(layers, str)]
    return command, (*facts, *(Fact(name, value) for name, value in environment.items()))
