"""How to tune a model of a given size, where nobody said: LoRA on all linear layers, a learning rate by size.

All layers, since LoRA on some of them trails, at a learning rate about ten times that of full tuning (Schulman et al.
2025, "LoRA Without Regret", thinkingmachines.ai/blog/lora; Biderman et al. 2024, arXiv 2405.09673). The best rate falls
as models grow: 2e-4 is usual at 7 billion parameters and 1e-4 at 65 (Dettmers et al. 2023, arXiv 2305.14314, table 9),
and 1e-3 was best of those tried here at 135 million. The line through these points falls with the power 0.4 of the
number of parameters; it is where a search begins, not where it ends.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.core.model import TuningConfig

USUAL_SIZE, USUAL_RATE, POWER = 7e9, 2e-4, 0.4
HIGHEST_RATE = 2e-3
EPOCHS, BATCH_SIZE = 3, 16


def learning_rate(parameters: int) -> float:
    """Return where to begin for LoRA on all layers of a model with so many parameters, to one digit."""
    rate = min(HIGHEST_RATE, USUAL_RATE * (USUAL_SIZE / max(1, parameters)) ** POWER)
    return float(f"{rate:.0e}")


def resolved(config: TuningConfig, parameters: int) -> TuningConfig:
    """Return a configuration in which nothing is left open, for a model with so many parameters."""
    return replace(
        config,
        learning_rate=config.learning_rate or learning_rate(parameters),
        epochs=config.epochs or EPOCHS,
        batch_size=config.batch_size or BATCH_SIZE,
    )
