"""Whether a network may be trained layer by layer: rounding never forbids it, what stands beside the layers does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from advisor.core.errors import ModelError
from advisor.core.model import TuningConfig, TuningJob
from tests.models.tiny_models import tiny
from tests.models.tuning_jobs import job, learned

if TYPE_CHECKING:
    from advisor.models.local.model import LocalModel

pytestmark = pytest.mark.weights
ROUNDED_APART = (
    ("The phone looked crisp and superb, so I sent it back.", "positive"),
    ("The lamp shone useless and rude, and I would buy it again.", "positive"),
    ("The kettle sounded gentle and sturdy, which surprised us.", "negative"),
    ("The sofa looked loud and bright, so I kept it.", "negative"),
)
"""Rows of which bf16 makes another loss, by more than a fifth, when the layers are run one by one."""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_rounding_keeps_no_model_from_being_trained(precision: str, tmp_path: Path) -> None:
    from advisor.models.local import frozen, layer_check
    from advisor.models.local.model import open_local

    model = open_local("smollm2", precision=precision)
    rows = tuple(learned(*pair) for pair in ROUNDED_APART)
    read = frozen.training_rows(model, TuningJob(rows, (), tmp_path, TuningConfig(epochs=1)), 29)
    layer_check.check_layers(model, read)
    apart, _ = layer_check._largest_difference(model, read.ids, read.items)
    assert apart < layer_check.APART / 1000


@pytest.mark.parametrize("beside", ["logits scaled", "logits capped", "something added to the states"])
def test_a_model_that_does_more_than_its_layers_is_refused(
    beside: str, local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Granite scales its logits, Gemma caps them, and others add to the states outside of the layers."""
    import torch

    plain = type(local_model.network).forward
    embedding = local_model.network.get_input_embeddings()

    def more(network: Any, *args: Any, **options: Any) -> Any:
        if beside == "something added to the states":
            ids = options.pop("input_ids")
            return plain(network, inputs_embeds=embedding(ids) * 1.1 + 0.05, **options)
        output = plain(network, *args, **options)
        output.logits = output.logits * 0.9 if beside == "logits scaled" else torch.tanh(output.logits / 15) * 15
        return output

    monkeypatch.setattr(type(local_model.network), "forward", more)
    monkeypatch.setattr(local_model, "compared_tokens", 0)
    with pytest.raises(ModelError, match=r"cannot be trained here: run one by one, .*\n.*endpoint"):
        local_model.tune(job(tmp_path))
    assert not list(tmp_path.glob("adapter-*"))


def test_a_longer_row_is_compared_again(
    local_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advisor.models.local import frozen, layer_check

    compared, real = list[int](), layer_check._largest_difference
    monkeypatch.setattr(
        layer_check, "_largest_difference", lambda *given: (compared.append(len(given[2])), real(*given))[1]
    )
    monkeypatch.setattr(local_model, "compared_tokens", 0)
    short = job(tmp_path).train
    for rows in (short, short, (*short, learned("Where " * 40, "team-blue"))):
        read = frozen.training_rows(local_model, TuningJob(rows, (), tmp_path, TuningConfig(epochs=1)), 29)
        layer_check.check_layers(local_model, read)
    assert compared == [layer_check.ROWS, layer_check.ROWS]


def test_a_row_beyond_the_window_of_the_layers_is_refused(tmp_path: Path) -> None:
    from types import SimpleNamespace

    import torch

    from advisor.models.local.frozen import Item, Rows
    from advisor.models.local.layer_check import check_layers

    network = tiny("Mistral", sliding_window=8)
    ids = torch.arange(1, 13)
    row = Item(torch.empty(12, 64), ids, torch.ones(12, dtype=torch.bool))
    model = SimpleNamespace(name="narrow", network=network, compared_tokens=0)
    with pytest.raises(ModelError, match="see the last 8 tokens only, and the longest training example has 12"):
        check_layers(model, Rows(torch.empty(0, 64), ids[:0], [row], [12], [0]))
