"""A training that goes on from a shorter one ends as one in a single go does, and reports what is new."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from advisor.core.model import TuningConfig, TuningJob
from tests.models.tuning_jobs import job

if TYPE_CHECKING:
    from advisor.models.local.model import LocalModel

pytestmark = pytest.mark.weights


def test_going_on_is_the_same_as_training_in_one_go(local_model: LocalModel, tmp_path: Path) -> None:
    import torch

    def until(epochs: int, folder: str, progress: Any = lambda *step: None, **options: Any) -> tuple[Any, Any]:
        restarts = tuple(end for end in (1, 3) if end < epochs)
        config = TuningConfig(layers=1, batch_size=4, learning_rate=4e-3, epochs=epochs, restarts=restarts)
        place = tmp_path / folder
        asked = TuningJob(job(place).train[:4], job(place).dev, place, config, progress, **options)
        return local_model.tune(asked)

    states = tmp_path / "states"
    _, first = until(1, "parts", states=states)
    _, second = until(3, "parts", states=states)
    assert second.dev_loss[:1] == first.dev_loss
    assert second.tokens == 2 * first.tokens

    def killed(what: str, done: int, total: int) -> None:
        if what == "training" and done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        until(4, "parts", killed, states=states)
    parts, last = until(4, "parts", states=states)
    whole, at_once = until(4, "whole")
    assert last.dev_loss == at_once.dev_loss
    assert (last.tokens, at_once.tokens) == (first.tokens, 4 * first.tokens)
    assert not list(tmp_path.glob("whole/*.epochs"))
    theirs = whole.network.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in parts.network.state_dict().items())
    other = replace(TuningConfig(layers=1, batch_size=4, learning_rate=4e-3, epochs=4), restarts=(2,))
    _, anew = local_model.tune(TuningJob(job(tmp_path).train[:4], job(tmp_path).dev, tmp_path, other, states=states))
    assert anew.tokens == 4 * first.tokens  # another schedule is another training
