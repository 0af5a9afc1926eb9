"""Small untrained language models of many architectures."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

SHAPES = ("Llama", "Qwen2", "Qwen3", "Mistral", "Gemma", "Phi3")


def tiny(shape: str, **options: Any) -> Any:
    torch.manual_seed(7)
    config = getattr(transformers, f"{shape}Config")(
        **{
            "vocab_size": 300,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "head_dim": 16,
            "pad_token_id": 0,
            "initializer_range": 0.4,
            **options,
        }
    )
    return AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
