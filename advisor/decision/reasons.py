"""The sentences of a verdict: headline, reasons, what would flip it, and the next step, each with its figure."""

from __future__ import annotations

import math

from advisor._util import formats
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence, Flip, Guard, VerdictAnswer
from advisor.decision.guards import BASELINE, DATA, MISSING, baseline_line, data_sentence, owed_baselines
from advisor.decision.sensitivity import sentence
from advisor.stats.value_of_information import Step

MOST_REASONS = 6


# --- headline --------------------------------------------------------------------------------------------------------


def headline(evidence: Evidence, answer: VerdictAnswer, leaning: VerdictAnswer, guards: tuple[Guard, ...]) -> str:
    """Return one sentence to act on; `leaning` is what the rule alone would have said."""
    if not evidence.tuned:
        return "Not yet: no fine-tuned strategy has a score here, so there is nothing to decide on."
    if not evidence.alternative:
        return f"Not yet: {evidence.tuned} has nothing to be held against."
    if answer != leaning:
        broken = "; ".join(guard.finding for guard in guards if guard.state == "fail")
        lean = "fine-tuning" if leaning == "fine_tune" else evidence.use_now
        return f"Not yet: the evidence leans to {lean}, but {broken}."
    words = {"fine_tune": _yes, "do_not_fine_tune": _no, "not_yet": _not_yet}
    return words[answer](evidence)


def _yes(evidence: Evidence) -> str:
    gain, tuned, other = evidence.money.expected_gain_usd, evidence.tuned, evidence.alternative
    if evidence.netted and gain is not None:
        sure = formats.percent(evidence.money.probability_tuned_best)
        months = formats.months(evidence.money.months)
        more = f"{formats.usd(gain.estimate)} more than {other} over {months}"
        return f"Fine-tune: {tuned} brings {more}, best in {sure} of draws."
    held = evidence.money.dominance
    if held and held.contenders:
        rival = min(held.contenders, key=lambda label: evidence.lead(label).estimate)
        lead = evidence.lead(rival)
        if lead.real and evidence.sure(held.better_and_not_dearer):
            size = formats.points(lead.estimate)
            return f"Fine-tune: {tuned} is {size} better than {rival} and costs no more per request."
    margin = formats.points(evidence.economics.margin)
    months = formats.months(evidence.money.months)
    return f"Fine-tune: {tuned} is not worse than the margin of {margin} and its saving pays it back within {months}."


def _no(evidence: Evidence) -> str:
    gain, held = evidence.money.expected_gain_usd, evidence.money.dominance
    if evidence.netted and gain is not None:
        sure = formats.percent(evidence.money.probability_tuned_best)
        months = formats.months(evidence.money.months)
        loss = f", and would lose {formats.usd(-gain.estimate)} over {months}" if gain.estimate < 0.0 else ""
        return (
            f"Do not fine-tune: {evidence.use_now} is the better buy; "
            f"{evidence.tuned} is the best in {sure} of draws{loss}."
        )
    margin = formats.points(evidence.economics.margin)
    instead = held.instead if held else evidence.use_now
    lead = evidence.lead(instead)
    if lead.real and lead.estimate < 0.0:
        size = formats.points(-lead.estimate)
        return f"Do not fine-tune: {instead} is {size} better than {evidence.tuned}, and not dearer."
    return f"Do not fine-tune: {instead} is at most {margin} worse than {evidence.tuned} (the margin), and not dearer."


def _not_yet(evidence: Evidence) -> str:
    point = evidence.money.break_even
    lead = evidence.lead(evidence.alternative)
    if evidence.netted:
        sure = formats.percent(evidence.money.probability_tuned_best)
        need = formats.level(evidence.chance_needed)
        return f"Not yet: fine-tuning is the best buy in {sure} of draws; a yes needs {need}."
    needed = point.usd_per_correct_answer if point else None
    if needed is not None and needed.estimate > 0.0 and math.isfinite(needed.estimate):
        condition = "" if lead.real else f"if the measured {formats.points(lead.estimate)} hold, "
        return f"Not yet: {condition}fine-tuning is {threshold_sentence(evidence, needed)}."
    if _price_unknown(evidence):
        return f"Not yet: what {evidence.tuned} or {evidence.alternative} costs is unknown."
    if needed is not None and lead.real:
        volume = "" if evidence.economics.requests_per_month is not None else "; your volume would tell if it pays back"
        return f"Not yet: {evidence.tuned} is better and its requests are not dearer, but not surely enough{volume}."
    return f"Not yet: {data_sentence(evidence)}."


def threshold_sentence(evidence: Evidence, needed: Interval) -> str:
    """Return ``worth it if a correct answer is worth more than $0.0031, that is 31 cents per 100``."""
    value = needed.estimate
    once = evidence.economics.requests_per_month is None
    more = ", its one-off cost not counted as no volume was given" if once else ""
    return (
        f"worth it if a correct answer is worth more than {formats.usd(value)}, that is {formats.per_100(value)}{more}"
    )


def _price_unknown(evidence: Evidence) -> bool:
    rows = {row.label: row for row in evidence.money.strategies}
    asked = (rows[label] for label in (evidence.tuned, evidence.alternative))
    return any(row.usd_per_1000_requests is None or row.one_off_usd is None for row in asked)


# --- reasons ---------------------------------------------------------------------------------------------------------


def reasons(evidence: Evidence, guards: tuple[Guard, ...]) -> tuple[str, ...]:
    """Return three to six sentences, each with its figure."""
    if not evidence.tuned or not evidence.alternative:
        return _without_contest(evidence)
    found = [_quality(evidence), _cost(evidence), _chance(evidence)]
    found += [sentence for sentence in (_threshold(evidence), _payback(evidence)) if sentence]
    broken = [f"Does not hold, {guard.name}: {guard.finding}." for guard in guards if guard.state == "fail"]
    data = data_sentence(evidence)
    found = [*found[: MOST_REASONS - len(broken)], *broken]
    if len(found) < MOST_REASONS and not any(guard.name == DATA and guard.state == "fail" for guard in guards):
        found.append(f"{data}.")
    return tuple(found)


def _without_contest(evidence: Evidence) -> tuple[str, ...]:
    many = len(evidence.strategies)
    scored = f"{formats.count(len(evidence.scored))} of {formats.count(many)} strategies have a score"
    tuned = sum(one.tuned for one in evidence.scored)
    found = [f"{scored}, {formats.count(tuned)} of them fine-tuned."]
    if evidence.scored and evidence.scored[0].quality is not None:
        best = evidence.scored[0]
        score = formats.percent(evidence.scored[0].quality.estimate)
        found.append(f"The best so far is {best.label} with {score} on {formats.count(best.n)} test examples.")
    found.append(
        f"{formats.count(evidence.n_train)} training and {formats.count(evidence.n_test)} test examples are at hand."
    )
    lost = sum(one.failed + one.undefined for one in evidence.strategies)
    found.append(f"{formats.count(lost)} outcomes have no score.")
    return tuple(found)


def _quality(evidence: Evidence) -> str:
    lead = evidence.lead(evidence.alternative)
    scores = [evidence.summary(label).quality for label in (evidence.tuned, evidence.alternative)]
    ours, theirs = (formats.percent(score.estimate if score else None) for score in scores)
    way = "better" if lead.estimate > 0 else "worse"
    kind = f"really {way}" if lead.real else "a difference that could be chance"
    size = formats.points(abs(lead.estimate))
    ends = f"{lead.low * 100:+.1f} to {lead.high * 100:+.1f}"
    return (
        f"{evidence.tuned} scores {ours} and {evidence.alternative} {theirs} on "
        f"{formats.count(lead.n or evidence.n_test)} test examples: {size} {'more' if lead.estimate > 0 else 'less'} "
        f"({ends}, all strategies at once), {kind}."
    )


def _cost(evidence: Evidence) -> str:
    rows = {row.label: row for row in evidence.money.strategies}
    words = []
    for label in (evidence.tuned, evidence.alternative):
        cost = rows[label].usd_per_1000_requests
        words.append(f"{'an unknown sum' if cost is None else formats.usd(cost.estimate)} with {label}")
    once = rows[evidence.tuned].one_off_usd
    told = "an unknown sum" if once is None else formats.usd(once)
    return f"1,000 requests cost {' and '.join(words)}; {evidence.tuned} costs {told} once."


def _chance(evidence: Evidence) -> str:
    money, need = evidence.money, _needed(evidence)
    gain, held = money.expected_gain_usd, money.dominance
    if evidence.netted and gain is not None:
        ends = f"{formats.usd(gain.low)} to {formats.usd(gain.high)}"
        sure = formats.percent(money.probability_tuned_best)
        mean = formats.usd(gain.estimate)
        over = f"its gain over {evidence.alternative} is {mean} ({ends})"
        return f"After all costs {evidence.tuned} is the best in {sure} of draws ({need}); {over}."
    assert held is not None
    margin = formats.points(evidence.economics.margin)
    known = [
        (f"beats all others by more than {margin}", held.better),
        ("does so at no higher price than the best of them", held.better_and_not_dearer),
        ("is as good and paid back by its saving", held.cheaper_and_as_good),
        (f"is needless beside {held.instead}", held.needless),
    ]
    parts = [f"{what}: {formats.percent(chance)}" for what, chance in known if chance is not None]
    return f"Chances that {evidence.tuned} {'; '.join(parts)} ({need})."


def _needed(evidence: Evidence) -> str:
    """Return ``a yes needs 97.5%, a no 90%``, and at a later look why it is more: ``third look …``.

    A netted no is asked for as the chance of a yes, so its threshold is the other end.
    """
    confidence = evidence.economics.confidence
    no = f"at most {formats.level(1 - confidence)}" if evidence.netted else formats.level(confidence)
    found = f"a yes needs {formats.level(evidence.chance_needed)}, a no {no}"
    return f"{found}; {formats.ordinal(evidence.looks)} look at a growing test set" if evidence.looks > 1 else found


def _threshold(evidence: Evidence) -> str:
    point = evidence.money.break_even
    needed = point.usd_per_correct_answer if point else None
    if needed is None:
        return ""
    lead = evidence.lead(evidence.alternative)
    condition = "" if lead.real else f"If the measured {formats.points(lead.estimate)} hold, it"
    if needed.estimate == 0.0:
        return f"{condition or 'It'} is worth it at any value of a correct answer from $0 on, as it is not dearer."
    high = f"between {formats.usd(needed.low)} and {formats.usd(needed.high)}"
    if math.isinf(needed.high):
        high = f"at least {formats.usd(needed.low)}, and no limit upwards"
    return f"{condition or 'It'} is {threshold_sentence(evidence, needed)} ({high})."


def _payback(evidence: Evidence) -> str:
    point = evidence.money.break_even
    if point is None or point.probability_never is None:
        return ""
    alone = "" if evidence.economics.usd_per_correct_answer is not None else "on cost alone, "
    never = f"{alone}no volume pays in {formats.percent(point.probability_never)} of draws"
    if point.volume is None:
        return f"{never[0].upper()}{never[1:]}."
    first = point.volume.estimate < 1.0
    volume = "the first request" if first else f"{formats.count(point.volume.estimate)} requests a month"
    if point.probability_never > 0.5:
        return f"{never[0].upper()}{never[1:]}; in the others it pays from {volume} on."
    if point.payback_months is None:
        return f"It pays from {volume} on; {never}."
    months = point.payback_months.estimate
    back = "in less than 0.1 months" if months < 0.1 else f"after {formats.months(months)}"
    return f"It pays from {volume} on; {never}; at your volume it is paid back {back}."


# --- what would flip it ----------------------------------------------------------------------------------------------


def would_flip(evidence: Evidence, answer: VerdictAnswer, inputs: tuple[Flip, ...]) -> tuple[str, ...]:
    """Return the flip point of every input that has one, nearest first by ratio; what you did not give comes last.

    Value and volume flip where the expected gain changes its sign; the margin where the probability meets what a yes or
    a no needs.
    """
    if not evidence.tuned or not evidence.alternative:
        return ("A fine-tuned strategy and one that is not, both with a score: 1 of each is enough.",)
    settled = {"fine_tune": "margin_needless", "do_not_fine_tune": "margin", "not_yet": ""}[answer]
    turning = [one for one in inputs if one.flip is not None and one.name != settled]
    found = [one for one in turning if one.name != "volume" or (one.flip or 0.0) >= 1.0]
    labels = _label_flips(evidence, answer)
    if not found and not labels:
        lead = evidence.lead(evidence.alternative)
        size = f"{formats.points(abs(lead.estimate))} {'ahead' if lead.estimate > 0.0 else 'behind'}"
        if _price_unknown(evidence):
            return (f"The price that is missing: without it no flip point is known; tuning is {size}.",)
        return (f"No flip point was found for value, volume or margin: tuning is {size}.",)
    ranked = [*((one.distance, sentence(one, evidence)) for one in found), *labels]
    return tuple(text for _, text in sorted(ranked, key=lambda item: item[0]))


def _label_flips(evidence: Evidence, answer: VerdictAnswer) -> list[tuple[float, str]]:
    """Return how many more labels bring tuning ahead, where it is not surely ahead yet and its curve says they do."""
    curve = next((one for one in evidence.curves if one.label == evidence.tuned), None)
    crossing = curve.crossing if curve is not None else None
    if crossing is None or crossing.size is None or answer != "not_yet":
        return []
    lead, more = evidence.lead(crossing.rival), crossing.size.estimate - evidence.n_train
    if crossing.probability_never > 0.5 or (lead.real and lead.estimate > 0.0) or more < 1.0:
        return []
    ends = f"{formats.count(max(crossing.size.low, 0.0))} to {formats.count(crossing.size.high)}"
    never = formats.percent(crossing.probability_never)
    text = (
        f"Labels: {formats.count(more)} more examples would bring {evidence.tuned} above {crossing.rival} by its "
        f"learning curve ({ends} in all; not within reach in {never} of draws)."
    )
    return [(math.log(crossing.size.estimate / evidence.n_train), text)]


# --- next step -------------------------------------------------------------------------------------------------------


def next_step(evidence: Evidence, answer: VerdictAnswer, guards: tuple[Guard, ...]) -> str:
    """Return the cheapest step that would tell more, with the line to type."""
    states = {guard.name: guard.state for guard in guards}
    labels = [one.label for one in evidence.strategies]
    owed = owed_baselines(evidence)
    if not evidence.tuned:
        return f"Run a fine-tuned strategy: {baseline_line(evidence)}"
    if not evidence.alternative or states[BASELINE] == "fail":
        if not owed:
            return f"Run few_shot: {evidence.line(['few_shot', evidence.tuned])}"
        return f"Run {' and '.join(owed)}: {baseline_line(evidence)}"
    if states[MISSING] == "fail":
        return f"Run it again, only what failed is asked anew: {evidence.line(labels)}"
    if answer == "fine_tune":
        return f"Confirm it with more trainings before it goes live: {_more_seeds(evidence)}"
    if answer == "do_not_fine_tune":
        return f"Use {evidence.use_now}, and ask again when labels, volume or models change: {evidence.line(labels)}"
    return _undecided_step(evidence, labels, guards)


def _more_seeds(evidence: Evidence) -> str:
    seeds = len(evidence.summary(evidence.tuned).seeds)
    flag = f"--seeds {max(3, seeds + 1)}"
    return evidence.line([evidence.tuned, evidence.alternative], flag)


def _undecided_step(evidence: Evidence, labels: list[str], guards: tuple[Guard, ...]) -> str:
    economics = evidence.economics
    if _price_unknown(evidence):
        config = evidence.request.config
        flags = [] if config else ["--config comparison.yaml"]
        made = f", {config}" if config else " (advisor init comparison comparison.yaml)"
        return (
            f"Write what the model charges under economics: prices: and tuned_prices: in a comparison file{made}: "
            f"{evidence.line(labels, *flags)}"
        )
    lead = evidence.lead(evidence.alternative)
    asked = [
        *["--value-per-correct USD"] * (economics.usd_per_correct_answer is None),
        *["--requests-per-month N"] * (economics.requests_per_month is None),
    ]
    if asked and (lead.real or lead.estimate <= 0.0):
        return f"Say what a correct answer is worth and how many requests there are: {evidence.line(labels, *asked)}"
    best = evidence.information.best if evidence.information else None
    if best is not None:
        return f"{best.action[0].upper()}{best.action[1:]}: {_worth(best)} ({best.assumption}): {best.command}"
    return (
        f"{_nothing_worth_it(evidence, guards)} Ask again when labels, volume or models change: {evidence.line(labels)}"
    )


def _worth(step: Step) -> str:
    worth = [f"worth {formats.usd(step.worth_usd)}"] * (step.worth_usd is not None)
    decides = [f"decides in {formats.percent(step.chance_decides)} of cases"] * (step.chance_decides is not None)
    return ", ".join([*worth, f"costs {formats.usd(step.usd)}", *decides])


def _nothing_worth_it(evidence: Evidence, guards: tuple[Guard, ...]) -> str:
    """Say that no step is worth its price, and what is the better expected choice now.

    See docs/reading-a-verdict.md, "What to do next".
    """
    found, now = evidence.information, better_now(evidence, guards)
    gain = evidence.money.expected_gain_usd
    if found is None or found.evpi_usd is None or gain is None:
        return f"No single step is likely to decide; {now} is the choice now."
    ahead = evidence.tuned if gain.estimate > 0.0 else evidence.use_now
    least = f"No step is worth its price: to know all for sure would bring {formats.usd(found.evpi_usd)}"
    if ahead == now:
        return f"{least}, and {now} is the better expected choice now."
    return f"{least}. {ahead} is expected to bring more, but a check does not hold, so that {now} is the choice now."


def better_now(evidence: Evidence, guards: tuple[Guard, ...]) -> str:
    """Return what to use while the answer is not yet.

    Where no step is worth its price, the better expected choice, if no guard fails; else what is not tuned.
    """
    gain, found = evidence.money.expected_gain_usd, evidence.information
    settled = found is not None and found.evpi_usd is not None and found.best is None
    holds = all(guard.state != "fail" for guard in guards)
    return evidence.tuned if settled and holds and gain is not None and gain.estimate > 0.0 else evidence.use_now
