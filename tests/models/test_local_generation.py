"""The engine on tiny random models of several shapes: what it writes is what transformers' own `generate` writes."""

from __future__ import annotations

import os
import random
import sys
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.errors import CallFailed
from advisor.models.local import attention, fallback, packing, runtime
from advisor.models.local import engine as engine_module
from advisor.models.local.cache import OwnCache
from advisor.models.local.engine import Engine
from advisor.models.local.model import _shares_prefix, _take_attention
from advisor.models.local.packing import PackedLinears
from advisor.models.local.rows import TokenSequence
from tests.models.tiny_models import SHAPES, tiny

END = 3


def engine_of(model: Any) -> Engine:
    assert _shares_prefix(model)
    model.set_attn_implementation(attention.NAME)
    return Engine(model, frozenset({END}), lambda ids: " ".join(map(str, ids)))


def plain(model: Any, prompt: Sequence[int], max_tokens: int) -> list[int]:
    model.set_attn_implementation("sdpa")
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_tokens,
            do_sample=False,
            eos_token_id=END,
            pad_token_id=0,
        )
    model.set_attn_implementation(attention.NAME)
    return [token for token in output[0, len(prompt) :].tolist() if token != END]


def prompts(count: int, shared: int, seed: int = 0) -> list[list[int]]:
    draw = random.Random(seed)
    start = [draw.randrange(4, 300) for _ in range(shared)]
    middles = [[draw.randrange(4, 300) for _ in range(12)] for _ in range(2)]
    own = [[draw.randrange(4, 300) for _ in range(draw.randrange(1, 30))] for _ in range(count)]
    return [start + (middles[at % 2] if at % 3 else []) + each for at, each in enumerate(own)]


class Grammar:
    """Allows fixed sequences of tokens, each ended by `END`."""

    def __init__(self, *sequences: tuple[int, ...]) -> None:
        self._all = [(*each, END) for each in sequences]
        self.written: tuple[int, ...] = ()

    def _next(self) -> list[int]:
        at = len(self.written)
        return sorted({each[at] for each in self._all if each[:at] == self.written and len(each) > at})

    def mask(self) -> torch.Tensor:
        return torch.zeros(300, dtype=torch.bool).index_fill_(0, torch.tensor(self._next()), True)

    def allowed(self) -> torch.Tensor:
        return torch.tensor(self._next())

    def only(self) -> int | None:
        found = self._next()
        return found[0] if len(found) == 1 else None

    def accept(self, token: int) -> None:
        self.written = (*self.written, token)

    def restart(self) -> None:
        self.written = ()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_writes_what_plain_generation_writes(shape: str) -> None:
    model = tiny(shape)
    asked = prompts(9, shared=20)
    expected = [plain(model, prompt, 12) for prompt in asked]
    rows = [TokenSequence(prompt, 12) for prompt in asked]
    engine_of(model).run(rows)
    assert [row.written for row in rows] == expected
    assert all(row.reused >= 20 for row in rows)
    assert {row.finish for row in rows} <= {"stop", "length"}


@pytest.mark.parametrize("options", [
    {"sliding_window": 64}, {"layer_types": ["full_attention", "sliding_attention", "full_attention"]},
    {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}},
])  # fmt: skip
def test_layers_that_see_a_window_only_are_left_to_transformers(options: dict[str, Any]) -> None:
    shape = "Mistral" if "sliding_window" in options else "Qwen2"
    assert not _shares_prefix(tiny(shape, **options))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_shape_takes_our_attention(shape: str, dtype: torch.dtype) -> None:
    model = tiny(shape).to(dtype)
    _take_attention(model)
    assert model.config._attn_implementation == attention.NAME


@pytest.mark.parametrize(("shape", "options"), [
    ("Granite", {"logits_scaling": 8.0}), ("Cohere", {"logit_scale": 0.0625}),
    ("DeepseekV3", {"head_dim": 8, "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
                    "v_head_dim": 16, "num_key_value_heads": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
                    "n_group": 1, "topk_group": 1, "moe_intermediate_size": 32}),
])  # fmt: skip
def test_what_does_more_than_its_layers_keeps_its_own_attention(shape: str, options: dict[str, Any]) -> None:
    model = tiny(shape, **options)
    _take_attention(model)
    assert model.config._attn_implementation in ("sdpa", "eager")


@settings(max_examples=25)
@given(count=st.integers(1, 12), shared=st.integers(0, 30), read=st.sampled_from([7, 40, 512]), seed=st.integers(0, 99))
def test_batches_parts_and_families_change_nothing(count: int, shared: int, read: int, seed: int) -> None:
    model = tiny("Llama")
    engine = engine_of(model)
    asked = prompts(count, shared, seed)
    alone = [TokenSequence(prompt, 8) for prompt in asked]
    for row in alone:
        Engine(model, engine.ends, engine.decode).run([row])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "PREFILL_TOKENS", read)
        patch.setattr(engine_module, "DECODE_ROWS", 5)
        rows = [TokenSequence(prompt, 8) for prompt in asked]
        engine.run(rows)
    assert [row.written for row in rows] == [row.written for row in alone]
    assert [row.text for row in rows] == [" ".join(map(str, row.written)) for row in rows]


def test_a_conversation_goes_on_where_it_stopped() -> None:
    model = tiny("Llama")
    engine = engine_of(model)
    rows = [TokenSequence(prompt, 8, stays=True) for prompt in prompts(6, shared=20)]
    engine.run(rows)
    longer = [[*row.ids, *row.written, 50, 51, 52] for row in rows[:4]]
    longer[0][len(rows[0].ids) + 2] = 299  # what was written comes back in other tokens from the third on
    expected = [plain(model, prompt, 8) for prompt in longer]
    again = [TokenSequence(prompt, 8) for prompt in longer]
    passes = _passes(engine)
    engine.run(again)
    assert [row.written for row in again] == expected
    assert [row.reused for row in again[1:]] == [row.held for row in rows[1:4]]
    assert again[0].reused == len(rows[0].ids) + 2
    assert passes[0] < 30


def _passes(engine: Engine) -> list[int]:
    """Count the tokens of each pass from now on."""
    seen: list[int] = []
    engine.decoder.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    return seen


def test_settled_tokens_cost_no_pass_and_change_nothing() -> None:
    model = tiny("Llama")
    choices = ((10, 11, 12, 13), (10, 21, 22, 23, 24), (30, 31))
    asked = prompts(5, shared=20)

    class Asking(Grammar):
        def only(self) -> int | None:
            return None

    slow, quick = (
        [TokenSequence(prompt, 9, constraint=kind(*choices)) for prompt in asked] for kind in (Asking, Grammar)
    )
    engine_of(model).run(slow)
    engine = engine_of(model)
    passes = _passes(engine)
    engine.run(quick)
    assert [row.written for row in quick] == [row.written for row in slow]
    assert all(tuple(row.written) in choices for row in quick)
    assert {row.finish for row in quick} == {"stop"}
    assert len(passes) <= 2 + 2  # the prefix, the prompts, and at most two more tokens that were chosen


def test_settled_tokens_end_where_the_answer_may_not_grow() -> None:
    row = TokenSequence([5, 6, 7], 3, constraint=Grammar((10, 11, 12, 13), (20,)))
    other = TokenSequence([5, 6, 7], 3, constraint=Grammar((10, 11, 12, 13)))
    engine_of(tiny("Llama")).run([row, other])
    assert row.written in ([10, 11, 12], [20])
    assert (other.written, other.finish) == ([10, 11, 12], "length")


def test_a_stop_inside_settled_tokens_cuts_there() -> None:
    row = TokenSequence([5, 6, 7], 9, stop=("12",), constraint=Grammar((10, 11, 12, 13)))
    engine_of(tiny("Llama")).run([row])
    assert (row.text, row.finish, row.written) == ("10 11 ", "stop", [10, 11, 12])


def test_too_little_memory_makes_smaller_batches_then_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("Llama")
    engine = engine_of(model)
    asked = prompts(8, shared=20)
    choices = ((10, 11, 12), (20, 21))
    expected = [
        TokenSequence(prompt, 6, constraint=Grammar(*choices) if at % 2 else None) for at, prompt in enumerate(asked)
    ]
    engine.run(expected)
    real = OwnCache

    def small(slots: int, *args: Any) -> Any:
        if slots > limit:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory")
        return real(slots, *args)

    monkeypatch.setattr(engine_module, "OwnCache", small)
    limit = 3
    rows = [
        TokenSequence(prompt, 6, constraint=Grammar(*choices) if at % 2 else None) for at, prompt in enumerate(asked)
    ]
    engine.run(rows)
    assert [row.written for row in rows] == [row.written for row in expected]
    limit = 0
    with pytest.raises(CallFailed, match="does not fit into memory"):
        engine.run([TokenSequence(asked[0], 6)])


def test_what_a_batch_held_is_free_before_its_halves_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[weakref.ref[Any]] = []
    run = engine_module._Batch.run

    def short_of_memory(self: Any) -> None:
        assert [each() for each in tried] == [None] * len(tried)
        if len(self.rows) > 2:
            tried.append(weakref.ref(self))
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        run(self)

    monkeypatch.setattr(engine_module._Batch, "run", short_of_memory)
    rows = [TokenSequence(prompt, 4) for prompt in prompts(8, shared=20)]
    engine_of(tiny("Llama")).run(rows)
    assert len(tried) == 3
    assert all(row.finish for row in rows)


def full(*given: Any, **options: Any) -> Any:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory")


def test_a_shared_start_that_does_not_fit_into_memory_is_read_with_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = tiny("Llama"), prompts(3, shared=20)
    expected = [plain(model, prompt, 4) for prompt in asked]
    monkeypatch.setattr(Engine, "_longer", full)
    rows = [TokenSequence(prompt, 4) for prompt in asked]
    engine_of(model).run(rows)
    assert [row.written for row in rows] == expected


def test_a_prompt_that_does_not_fit_is_a_failed_call_by_plain_generate_too(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("Llama")
    monkeypatch.setattr(model, "generate", full)
    with pytest.raises(CallFailed, match="a prompt of 5 tokens does not fit into memory"):
        fallback.run(model, [TokenSequence([5, 6, 7, 8, 9], 4)], frozenset({END}), str)


def test_every_start_that_prompts_share_is_computed_once() -> None:
    """A tree: all share 20 tokens, then one half 30 and the other 40, of which some share 50 more."""
    draw = random.Random(5)

    def tokens(count: int) -> list[int]:
        return [draw.randrange(4, 300) for _ in range(count)]

    trunk, left, right, deep = (tokens(count) for count in (20, 30, 40, 50))
    other = [*left[:9], *tokens(3)]  # shares nine tokens with all on the left
    asked = [[*trunk, *start, *tokens(5)] for start in (left, other, left, right, [*right, *deep], right)]
    asked += [[*trunk, *right, *deep, *tokens(7)], asked[0]]
    model = tiny("Llama")
    expected = [plain(model, prompt, 3) for prompt in asked]
    engine = engine_of(model)
    rows = [TokenSequence(prompt, 3) for prompt in asked]
    seen = _passes(engine)
    engine.run(rows)
    assert [row.written for row in rows] == expected
    own = [5, 5, 5, 5, 5, 5, 7, 5]  # those of equal prompts too: for a few tokens there is no level of its own
    assert sum(seen[: -max(len(row.written) for row in rows)]) <= 20 + 30 + 3 + 40 + 50 + sum(own)
    levels = engine_module._levels(rows, 20)
    assert [len(level) for level in levels] == [2, 5, 1]
    assert all(branch.shared >= engine_module.BRANCH for level in levels[1:] for branch in level)


def test_prompts_that_share_a_document_are_read_in_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where others lie between them by length."""
    draw = random.Random(6)
    documents = [[draw.randrange(4, 300) for _ in range(40)] for _ in range(3)]
    asked = [[*documents[at % 3], *(draw.randrange(4, 300) for _ in range(at))] for at in range(1, 7)]
    monkeypatch.setattr(engine_module, "DECODE_ROWS", 2)
    batches = engine_module._decode_batches([TokenSequence(ids, 4) for ids in asked], 0)
    assert [[tuple(row.ids[:40]) for row in batch] for batch in batches] == [
        [tuple(documents[at])] * 2 for at in (1, 2, 0)
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_weights_multiply_alike_and_leave_the_network_as_it_was(dtype: torch.dtype) -> None:
    model = tiny("Qwen2").to(dtype)
    states = torch.randn(1, 5, 64, dtype=dtype)
    layer = model.get_decoder().layers[0].self_attn.q_proj
    expected = layer(states)
    packed = PackedLinears(model.get_decoder(), model.get_output_embeddings())
    with torch.inference_mode(), packed.used():
        found = layer(states)
        assert "forward" in vars(layer) or not packing._supported(dtype)
    assert torch.allclose(found, expected, atol=1e-5 if dtype is torch.float32 else 0.0, rtol=1e-5)
    assert not any("forward" in vars(module) for module in model.modules())
    layer.weight.data += 1.0
    assert not torch.allclose(layer(states), expected)


def test_where_weights_cannot_be_packed_or_are_large_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = tiny("Llama"), prompts(5, shared=20)
    rows = [[TokenSequence(prompt, 6) for prompt in asked] for _ in range(3)]
    engine_of(model).run(rows[0])
    monkeypatch.setattr(packing, "MOST_BYTES", 1000)
    engine_of(model).run(rows[1])
    monkeypatch.undo()
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert not packing._supported()
    engine_of(model).run(rows[2])
    assert len({tuple(tuple(row.written) for row in found) for found in rows}) == 1


def test_idle_threads_wait_a_moment_only_where_nothing_else_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = (runtime.WAITING, runtime.SPINNING, *runtime._PREPARED)
    for name in names:
        monkeypatch.setenv(name, "")  # so that what is set below is undone
        monkeypatch.delenv(name)
    runtime.settle()
    assert not set(names) & set(os.environ)  # torch is loaded here
    assert runtime.described() == f"{torch.get_num_threads()}, {runtime.WAITING}=unset"
    monkeypatch.delitem(sys.modules, "torch")
    assert runtime.described() == ""

    stat = tmp_path / "stat"
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(runtime, "_WORK", stat)
    for busy, spins in (((0,), True), ((19, 19, 1), True), ((19, 19, 19), False)):
        work, later = [100, 1000], iter(busy)

        def pass_by(_: float, work: list[int] = work, later: Iterator[int] = later) -> None:
            taken = next(later)
            work[0], work[1] = work[0] + taken, work[1] + 20 - taken
            stat.write_text(f"cpu  {work[0]} 0 50 {work[1]} 0 0 0\n")

        stat.write_text("cpu  100 0 50 1000 0 0 0\n")
        monkeypatch.setattr("time.sleep", pass_by)
        runtime.settle()
        assert os.environ.pop(runtime.WAITING) == "PASSIVE"
        assert (os.environ.pop(runtime.SPINNING, None) is not None) is spins
    for broken in ("", "cpu", "cpu  0 0 0 0 0 0 0 0\n"):
        stat.write_text(broken)
        monkeypatch.setattr("time.sleep", lambda _: None)
        assert not runtime._is_alone()
    stat.unlink()
    assert not runtime._is_alone()

    monkeypatch.setenv(runtime.WAITING, "ACTIVE")
    runtime.settle()
    assert os.environ[runtime.WAITING] == "ACTIVE"
    assert runtime.SPINNING not in os.environ
    assert os.environ["LRU_CACHE_CAPACITY"] == "64"


def test_answers_do_not_depend_on_the_number_of_threads() -> None:
    model, asked, before = tiny("Llama"), prompts(7, shared=20), torch.get_num_threads()
    found, logits = [], []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            rows = [TokenSequence(prompt, 8) for prompt in asked]
            engine = engine_of(model)
            engine.run(rows)
            found.append([row.written for row in rows])
            logits.append(engine.logits(asked[0]))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]
    assert torch.allclose(logits[0], logits[1], atol=1e-4, rtol=0), "what docs/local-models.md promises"
