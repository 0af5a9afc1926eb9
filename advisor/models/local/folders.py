"""A folder with a model, looked at before anything of it is loaded, and once more afterwards.

transformers fills weights that are missing with random ones and goes on with a warning; and a configuration that lacks
a size gets the size of a large model, which is then laid out in memory. Both would be served as if they were the model.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from advisor.core.errors import ModelError

MOST_LAYERS = 1_000
MOST_TIMES = 1.25
"""So many times the weights in the files a configuration may describe: some parts are made and not stored."""
_HINT = "copy the whole folder again, config.json and every .safetensors file, from where it was saved"


def refuse_broken_folder(folder: Path) -> None:
    """Make sure that a folder's configuration describes about as many weights as its files hold.

    Raises:
        ModelError: it describes many more.
    """
    import torch
    from transformers import AutoModelForCausalLM

    config = configuration(str(folder), local_files_only=True)
    layers = getattr(config, "num_hidden_layers", 0) or 0
    if layers > MOST_LAYERS:
        raise ModelError(
            f"{str(folder)!r}: config.json names {layers:,} layers; at most {MOST_LAYERS:,} are read", hint=_HINT
        )
    if getattr(config, "quantization_config", None):
        return  # packed weights are fewer than they stand for
    held = sum(_weights(file) for file in folder.glob("*.safetensors"))
    with torch.device("meta"):
        described = sum(each.numel() for each in AutoModelForCausalLM.from_config(config).parameters())
    if held and described > MOST_TIMES * held:
        raise ModelError(
            f"{str(folder)!r}: config.json describes a model of {described:,} weights, the files hold {held:,}",
            hint=_HINT,
        )


def configuration(source: str, *, local_files_only: bool) -> Any:
    """Return what config.json says, but for the attention: that is transformers' choice, not the file's."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(source, local_files_only=local_files_only, trust_remote_code=False)
    config._attn_implementation = None
    return config


def refuse_partial_weights(spec: str, found: dict[str, Any]) -> None:
    """Make sure that every weight came out of the files; `found` is transformers' loading info.

    Raises:
        ModelError: some did not.
    """
    missing = sorted(found.get("missing_keys") or ())
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise ModelError(f"the model {spec!r} lacks the weights {missing[0]!r}{more}", hint=_HINT)


def _weights(file: Path) -> int:
    from safetensors import safe_open

    with safe_open(str(file), framework="np") as opened:
        return sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())
