"""How a model does on the general suites, by slice: ``python benchmarks/suites.py [MODEL]``; the default is smollm2."""

from __future__ import annotations

import platform
import sys
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version

from advisor.core.model import Request
from advisor.core.shipped import load_suite, score_suite_answer
from advisor.core.types import Message
from advisor.models.opening import open_model

ANSWER_TOKENS = 24


def main() -> None:
    model = open_model(sys.argv[1] if len(sys.argv) > 1 else "smollm2")
    items = load_suite("general")
    requests = [
        Request((Message("user", item.input),), max_tokens=ANSWER_TOKENS, choices=item.metadata["choices"])
        for item in items
    ]
    scores, closed = defaultdict(list), defaultdict(int)
    for item, answer in zip(items, model.generate(requests), strict=True):
        key = item.metadata["suite"], item.metadata["slice"]
        scores[key].append(score_suite_answer(item, answer.text))
        closed[key] += bool(item.metadata["choices"])
    print("| suite | slice | items | right | by guessing |\n|---|---|---|---|---|")
    for key, found in sorted(scores.items()):
        chance = f"{25 * closed[key] / len(found):.0f} %" if closed[key] else "–"
        print(f"| {key[0]} | `{key[1]}` | {len(found)} | {100 * sum(found) / len(found):.0f} % | {chance} |")
    names = ", ".join(f"{name} {version(name)}" for name in ("tuneworthy", "torch", "transformers", "llguidance"))
    precision = getattr(model, "precision", "as served")
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {model.name}, {precision}, {platform.machine()}; {names}")


if __name__ == "__main__":
    main()
