"""Does a step do what was said of it? Comparisons are drawn, the step is foretold, then really taken, and counted.

Nothing of the foretelling is used in taking it: the further examples are drawn from the Bayesian bootstrap of those at
hand, and the whole of the statistics and of the money runs anew on both together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from advisor.decision.evidence import Evidence
from advisor.decision.guards.enough import rests_on_quality
from advisor.decision.preposterior import Preposterior, chance_decides, odds_after
from advisor.decision.request import ComparisonRequest
from advisor.decision.verdict import by_dominance, by_net_benefit
from advisor.economics.inputs import Economics
from advisor.economics.ledger import open_ledger
from advisor.economics.money import weigh_ledger
from advisor.stats import value_of_information
from advisor.stats.bootstrap import Draws, Panel
from advisor.stats.paired import paired_statistics
from tests.decision.planted_evidence import FEW, TUNED, draws_of, summary
from tests.known import known

DRAWS, TIMES = 600, 300
NETTED = Economics(requests_per_month=10_000, usd_per_correct_answer=0.01)


def evidence_of(cells: Any, economics: Any, rng: Any) -> Any:
    """Build the evidence of one sample: each example is one of 8 cells, by who was right (few-shot, two trainings)."""
    few, tuned = cells // 4 * 1.0, np.stack([cells // 2 % 2, cells % 2]) * 1.0
    panel = Panel((FEW.label, TUNED.label), (few[None], tuned), (False, True), np.arange(len(cells)))
    found = paired_statistics(panel, DRAWS, rng)
    usage = {name: np.repeat(values[:1], DRAWS, axis=0) for name, values in draws_of(FEW, TUNED).usage.items()}
    drawn = Draws(found.draws.labels, found.draws.quality, usage)
    rows = tuple(replace(summary(plant), quality=found.qualities[plant.label]) for plant in (FEW, TUNED))
    ledger = open_ledger(drawn, rows, economics, "smollm2", rng)
    return Evidence(
        strategies=rows, differences=found.differences, money=weigh_ledger(ledger, rows, economics, "smollm2"),
        draws=drawn, pivot=TUNED.label, request=ComparisonRequest("x", economics=economics), metric="m", n_train=400,
        n_dev=0, n_test=len(cells), family=found.family, panel=panel, ledger=ledger,
    )  # fmt: skip


def decided(evidence: Any) -> Any:
    answer = by_net_benefit(evidence) if evidence.netted else by_dominance(evidence)
    by_chance = rests_on_quality(evidence) and not evidence.lead(evidence.alternative).real
    return answer == "do_not_fine_tune" or (answer == "fine_tune" and not by_chance)


def truth(lead: Any, discordance: Any) -> Any:
    """Return the probabilities of the 8 cells; the two trainings differ on 3 examples in 100."""
    right = {"both": 0.7 - discordance, "few": (discordance - lead) / 2, "tuned": (discordance + lead) / 2}
    cells = {7: right["both"], 4: right["few"], 3: right["tuned"], 0: 1 - sum(right.values())}
    probabilities = np.zeros(8)
    for cell, probability in cells.items():
        probabilities[cell] += probability * 0.97
        probabilities[cell ^ 1] += probability * 0.03
    return probabilities


@pytest.mark.slow
@pytest.mark.parametrize(("economics", "lead", "discordance", "have", "more"), [
    (NETTED, 0.03, 0.2, 100, 200), (NETTED, 0.0, 0.2, 200, 600),
    (Economics(), 0.06, 0.2, 100, 300), (Economics(), -0.01, 0.1, 200, 1000),
])  # fmt: skip
def test_steps_decide_as_often_and_bring_as_much_as_was_said(
    economics: Any, lead: float, discordance: float, have: int, more: int
) -> None:
    rng = np.random.default_rng(11)
    said, done, worth, brought = [], [], [], []
    for _ in range(TIMES):
        cells = rng.choice(8, size=have, p=truth(lead, discordance))
        before = evidence_of(cells, economics, rng)
        analysis, share = Preposterior.of(before, before.ledger), more / (more + have)
        said.append(chance_decides(analysis, odds_after(analysis, examples=share)))
        likely = rng.dirichlet(np.bincount(cells, minlength=8) + 1 / 8)
        after = evidence_of(np.concatenate([cells, rng.choice(8, size=more, p=likely)]), economics, rng)
        done.append(decided(after))
        if analysis.means is not None:
            worth.append(value_of_information.evsi(analysis.means, analysis.world_parts[0], share))
            nets = [float(after.ledger.net_benefit(account).mean()) for account in after.ledger.accounts]
            brought.append(max(nets) - nets[int(analysis.means.argmax())])
    sampling = 3.0 * float(np.std(done)) / TIMES**0.5
    assert np.mean([known(one) for one in said]) == pytest.approx(np.mean(done), abs=sampling + 0.03)
    if worth:
        apart = np.array(worth) - brought
        assert abs(apart.mean()) < 3.0 * apart.std() / TIMES**0.5
