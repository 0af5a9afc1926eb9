"""Which labels look wrong to a classifier that never saw them?"""

from __future__ import annotations

import numpy as np

from advisor._util import formats
from advisor.core.errors import AdvisorError

from .. import labels
from .data_profile import SHOWN, DataProfile, Found, NotAsked, cut

WARN, FAIL = 0.02, 0.20
"""Shares of wrong labels: a warning where the lower end of the estimate is above 2 %, a failure where it is above 20 %.
Where labels overlap in meaning the estimate counts that too, so what fails is set high."""


def likely_wrong(profile: DataProfile) -> Found:
    """Estimate the share of wrong labels in train, and name those that look it; out of fold, on embeddings."""
    if not profile.draft.labels:
        raise NotAsked("the task has no closed labels")
    try:
        sample = profile.sample
    except AdvisorError as error:
        return Found("unknown", f"no embeddings could be had: {cut(str(error))}")
    train = {example.id for example in profile.draft.splits["train"]}
    kept = np.array([example.id in train for example in sample.learned], dtype=np.bool_)
    examples = [example for example in sample.learned if example.id in train]
    rng = np.random.default_rng(profile.settings.seed)
    vectors = sample.vectors[0][kept] if len(examples) else sample.vectors[0]
    noise = labels.estimate_noise(examples, vectors, rng, profile.progress)
    shown = tuple(
        f"{one.id}: labelled {cut(one.given, 40)!r}, looks like {cut(one.likely, 40)!r}: {cut(one.text)}"
        for one in noise.suspicious[:SHOWN]
    )
    rows = tuple(one.id for one in noise.suspicious)
    if noise.share is None:
        return Found("unknown", f"wrong labels are not estimated: {noise.note}", "", shown, rows)
    share = noise.share
    figure = (
        f"about {formats.percent(share.estimate)} of {len(examples):,} training labels look wrong "
        f"({formats.percent(share.low)} to {formats.percent(share.high)})"
    )
    if share.low <= WARN:
        return Found("ok", figure, "", shown, rows)
    todo = "read these labels and correct what is wrong; they are suspicions, so --fix leaves them alone"
    return Found("fail" if share.low > FAIL else "warn", figure, todo, shown, rows)
