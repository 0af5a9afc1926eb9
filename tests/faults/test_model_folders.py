"""A model folder whose configuration and weights do not belong together is refused, and quickly; never half random."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load, save

from advisor.core.errors import ModelError
from advisor.models.local.model import open_local
from tests.faults.tiny_model import tiny_model

FILES = tiny_model()


def folder(place: Path, *, without: str = "", **settings: Any) -> str:
    """Write the tiny model with other settings in its config.json, or without one of its weights."""
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    config = json.loads(FILES["config.json"])
    (place / "config.json").write_text(json.dumps({**config, **settings}), encoding="utf-8")
    tensors = load(FILES["model.safetensors"])
    (place / "model.safetensors").write_bytes(
        save({name: tensor for name, tensor in tensors.items() if name != without}, metadata={"format": "pt"})
    )
    return str(place)


def test_the_whole_folder_is_opened(tmp_path: Path) -> None:
    assert open_local(folder(tmp_path)).network.config.num_hidden_layers == 2


@pytest.mark.parametrize("name", ["model.layers.1.mlp.up_proj.weight", "model.norm.weight", "lm_head.weight"])
def test_a_weight_that_is_missing_is_not_made_up(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match=f"lacks the weights '{name}'"):
        open_local(folder(tmp_path, without=name))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_hidden_layers": 3}, "describes a model of|lacks the weights"),
        ({"num_hidden_layers": 32}, "config.json describes a model of"),
        ({"num_hidden_layers": 2_000_000}, "names 2,000,000 layers; at most 1,000 are read"),
        ({"hidden_size": 8192, "intermediate_size": 32768}, "config.json describes a model of"),
    ],
)
def test_a_configuration_of_a_larger_model_is_refused_before_it_is_laid_out(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=said):
        open_local(folder(tmp_path, **settings))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
