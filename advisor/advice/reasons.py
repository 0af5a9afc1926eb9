"""The sentences of an advice: reasons with figures and sources, what to try first, what tuning would need."""

from __future__ import annotations

from advisor._util.formats import amount, change, count, percent, points, usd
from advisor.advice.forecast import FULL_LABELS, STRONG_SHARE, Forecast
from advisor.advice.net_benefit import ENOUGH_LABELS, NetBenefit, labels_after_buying
from advisor.advice.overrides import Override, Reason
from advisor.advice.published import TABLE, arm, band_of, published_tunes, study_headlines
from advisor.advice.situation import ENGINEERING_HOURS, RETRAINS_PER_YEAR, Costs, Pilot, Situation
from advisor.decision.words.money import words_of
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics

MOST = 6
UNSEEN = {"knowledge": "task of learning new facts", "tools": "task of calling tools"}
"""Kinds of which the table has no task, in words."""


def reasons(
    situation: Situation, lift: Forecast, worth: NetBenefit, pilot: Pilot | None, override: Override | None
) -> tuple[Reason, ...]:
    """Return three to six reasons, the weightiest first."""
    found = [override.reason] if override else []
    found.append(_lift(situation, lift))
    if pilot is not None:
        text = (
            f"{pilot.source[0].upper()}{pilot.source[1:]}: {percent(pilot.tuned)} tuned, {percent(pilot.prompted)} "
            f"prompted on {count(pilot.n)} examples, a lead of {change(pilot.lead)} give or take "
            f"{points(1.645 * pilot.error)} (90%)."
        )
        found.append(Reason(text, "yours; joined with the published results by Bayes' rule"))
    found.append(_money(worth))
    found.append(_baseline(situation))
    found += _labels(situation)
    found += _kind(situation)
    return tuple(found[:MOST])


def _lift(situation: Situation, lift: Forecast) -> Reason:
    text = (
        f"The chance of more than {points(lift.margin)} better is {percent(lift.probability_better)}, of any gain "
        f"{percent(lift.probability_ahead)}, as {count(len(arm('strong').models))} published tunes suggest."
    )
    if situation.kind in UNSEEN:
        text += f" The table holds no {UNSEEN[situation.kind]}: expect less than it says."
    return Reason(text, f"our model of {TABLE}")


def _money(worth: NetBenefit) -> Reason:
    paid = f"Tuning would cost about {usd(worth.once_usd)} once"
    if worth.probability is None:
        text = f"{paid}; whether it pays cannot be said without the requests a month and the value of a correct answer."
    else:
        text = f"{paid}, and the chance that it brings more than it costs is {percent(worth.probability)}."
    return Reason(text, "your amounts and what is taken as given; the formula of advisor compare")


def _baseline(situation: Situation) -> Reason:
    if situation.prompted is not None and STRONG_SHARE[situation.prompted_by] > 0.0:
        band = band_of(situation.prompted)
        upper = f"to {band.high:g}" if band.high < 1.0 else "and above"
        text = (
            f"A strong prompt leaves less to gain: where GPT-4 scored {band.low:g} {upper}, the best of ten tuned "
            f"models beat it on {band.wins} of {band.tasks} tasks; their mean lead over all {band.tasks} "
            f"was {change(band.mean_lead)}."
        )
        return Reason(text, TABLE)
    rows = published_tunes()
    gain = sum(row.lift for row in rows) / len(rows)
    better = sum(row.lift > 0.0 for row in rows)
    text = (
        f"Over bare prompts {better} of {len(rows)} tunes gained, {change(gain)} on average; part of that is the form "
        "of the answer and not skill, and a better prompt gets it too."
    )
    return Reason(text, TABLE)


def _labels(situation: Situation) -> list[Reason]:
    if situation.examples is None or situation.examples >= FULL_LABELS[1]:
        return []
    fact = study_headlines()["hundred_labels"]
    return [Reason(f"You have {count(situation.examples)} examples: {fact.headline}.", fact.source)]


def _kind(situation: Situation) -> list[Reason]:
    known = study_headlines()
    if situation.kind in ("format", "voice"):
        fact = known["form_not_facts"]
        return [Reason(f"Tuning teaches form and not facts: {fact.headline}.", fact.source)]
    if situation.changes in ("weekly", "daily"):
        return [
            Reason(
                f"What the model must know changes {situation.changes}: a tuned model would be trained anew "
                f"{count(RETRAINS_PER_YEAR[situation.changes])} times a year, a document is only replaced.",
                "your answer",
            )
        ]
    if situation.latency == "subsecond":
        fact = known["unmerged"]
        return [Reason(f"For answers in under a second, merge the adapter: {fact.headline}.", fact.source)]
    fact = known["score_against_lift"]
    return [Reason(f"{fact.headline}.", fact.source)]


def first_steps(situation: Situation) -> tuple[str, ...]:
    """Return what to do before tuning, what the kind of task asks for first."""
    fact, steps = study_headlines()["optimised_matches"], []
    have = situation.sources or ()
    if situation.prompted_by != "rag" and (situation.kind == "knowledge" or "documents" in have):
        steps.append("Let it look answers up (RAG): write or collect the documents, then score rag.")
    if situation.prompted_by != "function_calling" and (situation.kind == "tools" or "tools" in have):
        steps.append("Describe the tools with typed parameters and score function_calling.")
    if situation.kind == "format":
        steps.append("Constrain the output to a schema, where the server can: it fixes form without training.")
    if situation.prompted_by in (None, "zero_shot"):
        steps.append("Put 3 to 8 solved examples into the prompt (few_shot) and score it.")
    if situation.prompted_by != "optimised_prompt":
        steps.append(f"Improve the prompt itself: {fact.headline} ({fact.source}).")
    return tuple(steps)


def needs(situation: Situation, economics: Economics, worth: NetBenefit) -> tuple[str, ...]:
    """Return what tuning would need here: examples, tests, monitoring."""
    _, bought = labels_after_buying(situation, economics)
    have = "not known" if situation.examples is None else count(situation.examples)
    buy = f", {count(bought)} to be bought" if bought else ""
    found = [
        f"Examples: about {count(ENOUGH_LABELS)} with checked answers; at hand: {have}{buy}.",
        "Tests: examples that no prompt and no training has seen, a strong baseline on the same ones, and questions "
        "outside the task, to see what it forgets or no longer refuses.",
    ]
    watch = "Monitoring: score fresh examples every month, and again when the base model or the facts change"
    if worth.retrains_per_year:
        watch += f"; {count(worth.retrains_per_year)} trainings a year are counted"
    found.append(f"{watch}.")
    if situation.private:
        found.append("Your own machines: open weights that fit on them, for the baseline too.")
    if situation.latency in ("seconds", "subsecond"):
        found.append("Speed: the adapter merged into the model, and the slowest 5% of answers measured under load.")
    if situation.size in ("tiny", "larger"):
        found.append("A trial with your size of model: the published table holds 2 to 7 billion parameters only.")
    return tuple(found)


def assumptions(situation: Situation, economics: Economics, costs: Costs, worth: NetBenefit) -> dict[str, str]:
    """Return every input of the forecast and of the money by name, and whose it is."""
    words = words_of(economics)
    share = STRONG_SHARE[situation.prompted_by]
    held = {0.0: "a bare prompt: the table's base models", 1.0: "a strong prompt: the table's better GPT score"}
    found = {
        "prompted score held against": held.get(share, "half as a bare prompt, half as a strong one (ours, untested)"),
        "labels": "as many as the table's tunes had"
        if situation.examples is None
        else f"{count(situation.examples)}; the whole lift from {count(FULL_LABELS[0])} to {count(FULL_LABELS[1])} on "
        "(ours, not measured)",
        "training": _whose(costs.training_usd, amount(costs.training_usd, usd), Costs().training_usd),
        "engineering hours": _whose(economics.engineering_hours, words["engineering_hours"], ENGINEERING_HOURS),
        "an hour of engineering": words["usd_per_engineering_hour"],
        "requests": "equal in cost, tuned and prompted (ours)"
        if costs.usd_per_request is None
        else f"{amount(costs.usd_per_request, usd)} prompted, {amount(costs.tuned_usd_per_request, usd)} tuned (yours)",
        "use": "the tuned model is put into service whatever it turns out to score (ours)",
        "horizon": words["horizon_months"],
        "margin": words["margin"],
        "requests a month": words["requests_per_month"],
        "value of a correct answer": words["usd_per_correct_answer"],
    }
    if worth.bought_labels:
        found["a label"] = f"{words['usd_per_label']}, {count(worth.bought_labels)} bought (yours)"
    return found


def _whose(value: float | Range, words: str, ours: float | Range) -> str:
    return f"{words} ({'ours' if value == ours else 'yours'})"
