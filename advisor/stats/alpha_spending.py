"""How much chance of a false yes each look at a growing test set may spend, and what a yes needs for it.

`confidence` says how sure one must be to decide; it is no error rate. A tuned strategy that is in truth just not worth
it reaches a chance of 90 % in one comparison of ten. A yes is therefore held to an error budget as well.

Source: alpha spending (Lan and DeMets 1983, Biometrika 70:659), with look k spending ``1 / (k (k + 1))`` of the budget:
these shares sum to 1 over any number of looks, so neither their number nor the sizes need be known beforehand. Departs
from it by Bonferroni's addition of the looks in place of their joint distribution, which is stricter; over several
tuned strategies, of which one is picked after looking, the budget is divided likewise. The intervals that hold over all
looks are repeated confidence intervals (Jennison and Turnbull 1989, J. R. Statist. Soc. B 51:305).
"""

from __future__ import annotations

COMPARISON_LEVEL = 0.95
"""Coverage of every interval at a first look."""


def budget_share(look: int) -> float:
    """Return the share of the budget that look number `look` (from 1 on) spends; over all looks they sum to 1."""
    return 1.0 / (look * (look + 1))


def chance_needed(confidence: float, false_yes: float, *, look: int = 1, tuned: int = 1) -> float:
    """Return the chance from which on a yes is said.

    Args:
        confidence: the least chance on which the user decides at all.
        false_yes: the highest probability of ever saying yes where fine-tuning is in truth just not worth it.
        look: the number of this look at a growing test set, from 1 on.
        tuned: how many tuned strategies there were to pick from.
    """
    return max(confidence, 1.0 - false_yes * budget_share(look) / max(1, tuned))


def surely(chance: float | None, draws: int, needed: float) -> bool:
    """Return whether `chance`, a share of so many draws, reaches `needed`; an unknown chance never does.

    One more draw is counted against it (Phipson and Smyth 2010), so that a few draws never stand for certainty.
    """
    if chance is None:
        return False
    return ((1.0 - chance) * draws + 1.0) / (draws + 1.0) <= 1.0 - needed + 1e-9


def error_of_differences(false_yes: float, *, look: int = 1) -> float:
    """Return the two-sided error rate at which a difference counts as real, all differences of a look together.

    A yes rests on one side of a difference only, hence the factor 2. At a first look it is 1 - `COMPARISON_LEVEL`.
    """
    return min(1.0 - COMPARISON_LEVEL, 2.0 * false_yes * budget_share(look))
