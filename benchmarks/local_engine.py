"""The local engine beside plain transformers: shared prefixes, settled tokens, conversations; in pairs, alternating.

    python benchmarks/local_engine.py                  (minutes on 2 cores)
    python benchmarks/local_engine.py --items 24 --pairs 2

Both answer the same questions with the same weights in this process, plain transformers first; what counts is the
ratio of a pair. Plain transformers means `generate` in batches of eight, padded on the left, which is what an
evaluation harness does. Where answers in free text differ, the logits of the two tokens at which they part are looked
at: a tie is what rounding decides. The share of the matrix-multiply peak is of the peak measured here, just before.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from evaluation import ENOUGH, keep

from advisor.core.model import Request
from advisor.core.types import Message, ToolSpec
from advisor.models.local.model import LocalModel, open_local
from advisor.runs.runner import versions

WORDS = ("river", "engine", "cloud", "bread", "copper", "lamp", "winter", "glove", "anchor", "paper", "wheel", "honey")
LABELS = ("made by people", "found in nature", "made by people from what is found in nature")
BATCH = 8
END = 2
"""The token that ends an answer."""
LOOK_UP = ToolSpec(
    "look_up",
    "Look up one field of an order.",
    {
        "type": "object",
        "properties": {
            "order": {"type": "string", "maxLength": 12},
            "field": {"type": "string", "enum": ["status", "carrier", "total", "paid_with"]},
        },
        "required": ["order", "field"],
    },
)


def few_shot(count: int, **options: Any) -> list[Request]:
    """Short questions behind a prefix of about 600 tokens."""
    draw = random.Random(0)
    turns = [Message("system", "Say where the thing comes from, in a few words.")]
    for at in range(20):
        turns += [Message("user", f"Where does a {WORDS[at % 12]} of kind {at} come from, and why does it matter?")]
        turns += [Message("assistant", LABELS[at % 3])]
    asked = [f"Where does the {draw.choice(WORDS)} number {draw.randrange(10_000)} come from?" for _ in range(count)]
    return [Request((*turns, Message("user", each)), max_tokens=12, **options) for each in asked]


def calls(count: int) -> list[Request]:
    """Questions that must be answered with a call."""
    draw = random.Random(1)
    asked = [f"What is the {draw.choice(WORDS)} status of order HP-{draw.randrange(10_000)}?" for _ in range(count)]
    return [Request((Message("user", each),), 60, tools=(LOOK_UP,), tool_choice="required") for each in asked]


def plain(model: LocalModel, requests: Sequence[Request]) -> list[str]:
    """Answer with transformers' own `generate`, or, where a form is asked for, our fallback over it."""
    import torch

    from advisor.models.local import attention

    model.network.set_attn_implementation("sdpa")
    try:
        if requests[0].tools or requests[0].choices:
            return [done.content or str(done.calls) for done in model.generate(requests)]
        ids = [model.chat.prompt(request.messages) for request in requests]
        order, texts = sorted(range(len(ids)), key=lambda at: len(ids[at])), [""] * len(ids)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            width = max(len(ids[at]) for at in batch)
            padded = torch.tensor([[0] * (width - len(ids[at])) + ids[at] for at in batch])
            seen = torch.tensor([[0] * (width - len(ids[at])) + [1] * len(ids[at]) for at in batch])
            with torch.inference_mode():
                written = model.network.generate(
                    padded, attention_mask=seen, max_new_tokens=requests[0].max_tokens, do_sample=False, pad_token_id=2
                )
            for at, row in zip(batch, written[:, width:], strict=True):
                texts[at] = model.tokenizer.decode(row, skip_special_tokens=True).strip()
        return texts
    finally:
        model.network.set_attn_implementation(attention.NAME)


def ours(model: LocalModel, requests: Sequence[Request]) -> list[str]:
    """Answer with the engine, with nothing kept from before."""
    vars(model).pop("_engine", None)
    return [done.content or str(done.calls) for done in model.generate(requests)]


@dataclass(frozen=True, slots=True)
class Parting:
    """Where two answers to one question part.

    Attributes:
        gap: by how much the logits of the two next tokens differ, as transformers computes them in fp32.
        step: what rounding may move a logit by: 1e-3 in fp32, two steps of eight bits in bf16.
    """

    gap: float
    step: float

    @property
    def is_tie(self) -> bool:
        """Whether rounding decides between the two."""
        return self.gap <= self.step


def parting(model: LocalModel, reference: Any, request: Request, one: str, other: str) -> Parting:
    """Find where two answers part, and how near the two tokens are there.

    `reference` is the same network in fp32 with transformers' own attention.
    """
    import torch

    prompt = model.chat.prompt(request.messages)
    left, right = ([*model.tokenizer.encode(text, add_special_tokens=False), END] for text in (one, other))
    same = next(at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b)
    with torch.inference_mode():
        logits = reference(torch.tensor([prompt + left[:same]])).logits[0, -1].float()
    two = logits[[left[same], right[same]]]
    step = 1e-3 if model.precision == "fp32" else 2 * float(two.abs().max()) * 2**-8
    return Parting(float((two[0] - two[1]).abs()), step)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what came out, seconds by the clock and seconds of processors."""
    clock, processors = time.perf_counter(), time.process_time()
    return work(), time.perf_counter() - clock, time.process_time() - processors


def peak(dtype: Any) -> float:
    """Return FLOP a second of one large product, the best there is.

    Two sizes, and both libraries that torch multiplies with: which of them is quicker depends on processor and format.
    """
    import torch

    from advisor.models.local.packing import PackedLinears

    best = float("inf")
    for size in (1024, 2048):
        linear, states = torch.nn.Linear(size, size, bias=False, dtype=dtype), torch.randn(size, size).to(dtype)
        weight = linear.weight.detach()
        with torch.inference_mode(), PackedLinears(linear).used():
            for way in (partial(torch.mm, states, weight), partial(linear, states)):
                best = min(best, *(timed(way)[1] / (2 * size**3) for _ in range(10)))
    return 1 / best


def reading(model: LocalModel, requests: Sequence[Request]) -> float:
    """Return the FLOP a second that reading distinct prompts reaches; only products of linear layers count."""
    weights = sum(each.numel() for each in model.network.get_decoder().layers.parameters())
    distinct = [Request((Message("user", f"{at} {request.messages[-1].content} " * 8),), max_tokens=1)
                for at, request in enumerate(requests)]  # fmt: skip
    vars(model).pop("_engine", None)
    found, clock, _ = timed(lambda: model.generate(distinct))
    return 2.0 * weights * sum(done.usage.input_tokens - done.usage.cached_input_tokens for done in found) / clock


def alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many answers are the same."""
    return sum(left == right for left, right in zip(one, other, strict=True))


def traced(model: LocalModel, requests: Sequence[Request], theirs: list[str], own: list[str]) -> dict[str, Any]:
    """Say of the answers that differ whether a tie in the logits made them, and which side fp32 is on."""
    differ = [each for each in zip(requests, theirs, own, strict=True) if each[1] != each[2]]
    if not differ or differ[0][0].tools:
        return {}
    exact = open_local("smollm2", precision="fp32")
    fp32 = ours(exact, requests)
    exact.network.set_attn_implementation("sdpa")
    found = [parting(model, exact.network, *each) for each in differ]
    gaps = sorted((round(each.gap, 4) for each in found), reverse=True)
    return {
        "ties": sum(each.is_tie for each in found), "gaps": gaps,
        "theirs as fp32": alike(theirs, fp32), "ours as fp32": alike(own, fp32),
    }  # fmt: skip


def compare(model: LocalModel, requests: Sequence[Request], pairs: int) -> dict[str, Any]:
    """Answer by turns; returns the seconds of all pairs by the clock and by processors, and how the answers differ."""
    clocks, processors = list[tuple[float, float]](), list[tuple[float, float]]()
    theirs, own = list[str](), list[str]()
    for _ in range(pairs):
        theirs, slow, slow_cpu = timed(lambda: plain(model, requests))
        own, quick, quick_cpu = timed(lambda: ours(model, requests))
        clocks.append((round(slow, 2), round(quick, 3)))
        processors.append((round(slow_cpu, 2), round(quick_cpu, 3)))
    same = alike(theirs, own)
    return {"clock": clocks, "processors": processors, "same": same, **traced(model, requests, theirs, own)}


def line(name: str, items: int, one: dict[str, Any]) -> str:
    """Return one case in words."""
    ratios = sorted(slow / quick for slow, quick in one["clock"])
    cpu = statistics.median(slow / quick for slow, quick in one["processors"])
    slow, quick = (statistics.median(side) for side in zip(*one["clock"], strict=True))
    said = (
        f"{name}: {statistics.median(ratios):.1f} times as fast by the clock ({ratios[0]:.1f} to {ratios[-1]:.1f}), "
        f"{cpu:.1f} times by processors; {slow:.1f} s against {quick:.1f} s; {one['same']} of {items} answers the same"
    )
    if "ties" not in one:
        return said
    return (
        f"{said}; of the others {one['ties']} are ties (largest gaps of logits: {one['gaps'][:5]}); as in fp32 are "
        f"{one['theirs as fp32']} of plain transformers' and {one['ours as fp32']} of ours"
    )


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--precision", default="", choices=("", "fp32", "bf16"))
    asked = parser.parse_args()
    model = open_local("smollm2", precision=asked.precision)
    print(f"{model.precision}, threads: {model.threads}; {asked.items} items, {asked.pairs} pairs")
    cases = {
        "few-shot, 600 shared tokens": few_shot(asked.items),
        "the same, three labels": few_shot(asked.items, choices=LABELS),
        "required calls": calls(asked.items),
    }
    found: dict[str, Any] = {}
    for name, requests in cases.items():
        found[name] = compare(model, requests, asked.pairs)
        print(line(name, asked.items, found[name]), flush=True)
    top, read = peak(model.network.dtype), [reading(model, cases["required calls"]) for _ in range(asked.pairs + 1)]
    shares = sorted(round(each / top, 3) for each in read)
    print(f"reading prompts: {shares[0]:.0%} to {shares[-1]:.0%} of the peak of {top / 1e9:.0f} GFLOP a second")
    if asked.pairs >= ENOUGH:
        kept = {"items": asked.items, "cases": found, "reading": shares, "peak": top}
        keep("local_engine.json", model.precision, {**kept, "versions": versions()})


if __name__ == "__main__":
    main()
