"""The answer to "should I fine-tune?": from `Evidence` to a `Verdict` (docs/method.md, "When a yes is said")."""

from __future__ import annotations

from advisor.decision.evidence import Evidence, Guard, Verdict, VerdictAnswer
from advisor.decision.guards import BEST_TUNE, CUT_ALLOWED, MISSING, cut_shares, judge_guards
from advisor.decision.reasons import better_now, conclusion, grounds, missing, next_action, turning_points
from advisor.decision.sensitivity import flips

NET_BENEFIT = "expected net benefit"
DOMINANCE = "dominance"
_TINY = 1e-9


def decide(evidence: Evidence) -> Verdict:
    """Return the verdict.

    By expected net benefit where volume, value and all prices are known: `fine_tune` if the tuned strategy is the best
    of all in at least `Evidence.chance_needed` of the joint draws, `do_not_fine_tune` if in at most 1 - `confidence`
    and not expected to bring more than its alternative. Else by dominance, see `by_dominance`.

    `fine_tune` is withheld where a guard fails, and `do_not_fine_tune` where more than 1 % of the outcomes that it
    rests on are missing, or of the tuned strategy's answers were cut off, or where the tune was not tried at its best.
    A guard that is `unknown` withholds nothing: it is an assumption, and reports say so.
    """
    guards = judge_guards(evidence)
    leaning: VerdictAnswer = "not_yet"
    rule = NET_BENEFIT if evidence.netted else DOMINANCE
    if evidence.tuned and evidence.alternative:
        leaning = by_net_benefit(evidence) if evidence.netted else by_dominance(evidence)
    answer, inputs = _withheld(evidence, leaning, guards), flips(evidence)
    return Verdict(
        answer=answer,
        recommended=_recommended(evidence, answer, guards),
        conclusion=conclusion(evidence, answer, leaning, guards),
        grounds=grounds(evidence, guards),
        turning_points=turning_points(evidence, answer, inputs),
        action=next_action(evidence, answer, guards),
        rule=rule,
        guards=guards,
        flips=inputs,
        missing=missing(evidence),
    )


def by_net_benefit(evidence: Evidence) -> VerdictAnswer:
    """Return the answer by the probability that the tuned strategy has the highest net benefit of all.

    Among many others that are nearly level it is seldom the very best, even where it is expected to bring more than
    any one of them; nothing can be recommended in its place then, so that is no `do_not_fine_tune`.
    """
    chance, need = evidence.money.probability_tuned_best, evidence.economics.confidence
    gain = evidence.money.expected_gain_usd
    if evidence.sure(chance):
        return "fine_tune"
    ahead = gain is not None and gain.estimate > 0.0
    unlikely = chance is not None and chance <= 1 - need + _TINY
    return "do_not_fine_tune" if unlikely and not ahead else "not_yet"


def by_dominance(evidence: Evidence) -> VerdictAnswer:
    """Return the answer where money cannot be netted.

    `fine_tune`: better than all others by more than the margin, each by a real difference, and no dearer per request
    than any contender; or not worse than the margin and cheaper by what pays it back within the horizon.
    `do_not_fine_tune`: some other strategy is not worse by more than the margin, and not dearer. Each with probability
    `confidence` over the joint draws, a yes with `Evidence.chance_needed`, all its conditions together. What is unknown
    never counts as met. The two ways to a yes need no division of the error budget between them: where the saving pays,
    the second holds in every draw in which the first does.
    """
    held, need = evidence.money.dominance, evidence.economics.confidence - _TINY
    if held is None:
        return "not_yet"
    better = evidence.sure(held.better_and_not_dearer) and evidence.beats_all
    if better or evidence.sure(held.cheaper_and_as_good):
        return "fine_tune"
    return "do_not_fine_tune" if (held.needless or 0.0) >= need else "not_yet"


def _recommended(evidence: Evidence, answer: VerdictAnswer, guards: tuple[Guard, ...]) -> str:
    if answer == "not_yet":
        return better_now(evidence, guards)
    return evidence.tuned if answer == "fine_tune" else evidence.use_now


def _withheld(evidence: Evidence, leaning: VerdictAnswer, guards: tuple[Guard, ...]) -> VerdictAnswer:
    failed = {guard.name for guard in guards if guard.state == "fail"}
    if leaning == "fine_tune" and failed:
        return "not_yet"
    cut = cut_shares(evidence).get(evidence.tuned, 0.0) > CUT_ALLOWED
    return "not_yet" if leaning == "do_not_fine_tune" and (cut or failed & {MISSING, BEST_TUNE}) else leaning
