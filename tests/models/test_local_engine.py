"""The local engine against transformers' own `generate`, and the promises of a `Request`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from advisor.core.errors import CallFailed
from advisor.core.model import Request
from advisor.core.types import Message, ToolSpec
from advisor.decision.request import ComparisonRequest
from advisor.runs.provenance import environment

if TYPE_CHECKING:
    from advisor.models.local.model import LocalModel

pytestmark = pytest.mark.weights

CALCULATE = ToolSpec(
    "calculate",
    "Evaluate arithmetic.",
    {"type": "object", "properties": {"expression": {"type": "string", "maxLength": 16}}, "required": ["expression"]},
)
WORDS = ("river", "engine", "cloud", "bread", "copper", "lamp", "winter", "glove", "anchor")


def asked(question: str, **options: object) -> Request:
    return Request((Message("system", "Answer in one word."), Message("user", question)), **options)  # type: ignore[arg-type]


def few_shot(question: str) -> Request:
    turns = [Message("system", "Say whether the word names something that people make.")]
    for word, answer in (("hammer", "made"), ("thunder", "found"), ("teapot", "made"), ("meadow", "found")):
        turns += [Message("user", f"Is a {word} made or found?"), Message("assistant", answer)]
    return Request((*turns, Message("user", question)), max_tokens=6)


REQUESTS = [
    few_shot(f"Is a {word} made or found?" + " Think of daily life." * (at % 3)) for at, word in enumerate(WORDS)
]


def test_shared_prefix_answers_equal_plain_generation(local_model: LocalModel) -> None:
    import torch

    from advisor.models.local import attention

    ours = [completion.text for completion in local_model.generate(REQUESTS)]
    plain = []
    local_model.network.set_attn_implementation("sdpa")
    try:
        for request in REQUESTS:
            ids = torch.tensor([local_model.chat.prompt(request.messages)])
            written = local_model.network.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False, pad_token_id=2
            )
            plain.append(local_model.tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True).strip())
    finally:
        local_model.network.set_attn_implementation(attention.NAME)
    assert ours == plain


def test_answers_do_not_depend_on_the_company(local_model: LocalModel) -> None:
    together = [completion.text for completion in local_model.generate(REQUESTS)]
    backwards = [completion.text for completion in local_model.generate(REQUESTS[::-1])][::-1]
    alone = [local_model.generate([request])[0].text for request in REQUESTS[:4]]
    assert together == backwards
    assert together[:4] == alone


def test_usage_counts_prompt_prefix_and_answer(local_model: LocalModel) -> None:
    completions = local_model.generate(REQUESTS)
    prompts = [len(local_model.chat.prompt(request.messages)) for request in REQUESTS]
    assert [completion.usage.input_tokens for completion in completions] == prompts
    assert all(0 < completion.usage.cached_input_tokens < min(prompts) for completion in completions)
    assert all(1 <= completion.usage.output_tokens <= 6 for completion in completions)
    assert all(completion.usage.seconds > 0 and completion.usage.calls == 1 for completion in completions)


def test_choices_are_kept(local_model: LocalModel) -> None:
    choices = ("perhaps so", "never", 'the "quoted" one')
    found = local_model.generate([asked(f"Do fish have a {word}?", choices=choices) for word in WORDS])
    assert {completion.text for completion in found} <= set(choices)


def test_a_schema_is_kept(local_model: LocalModel) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}, "people": {"type": "integer", "maximum": 99}},
        "required": ["city", "people"],
        "additionalProperties": False,
    }
    found = local_model.generate([asked(f"A town near a {word}?", schema=schema, max_tokens=60) for word in WORDS[:4]])
    for completion in found:
        jsonschema.validate(json.loads(completion.text), schema)


def test_a_required_call_is_a_valid_call(local_model: LocalModel) -> None:
    request = asked("What is 3 times 4?", tools=(CALCULATE,), tool_choice="required", max_tokens=60)
    (completion,) = local_model.generate([request])
    assert completion.finish_reason == "tool_calls"
    assert [call.name for call in completion.tool_calls] == ["calculate"]
    assert isinstance(completion.tool_calls[0].arguments["expression"], str)


def test_a_free_answer_beside_tools_is_text(local_model: LocalModel) -> None:
    (completion,) = local_model.generate([asked("What is the capital of France?", tools=(CALCULATE,), max_tokens=12)])
    assert completion.tool_calls == ()
    assert "Paris" in completion.text


def test_text_is_free_until_it_opens_a_call(local_model: LocalModel) -> None:
    request = asked("What is 3 times 4?", tools=(CALCULATE,))
    constraint = local_model._grammars.constraint(request)
    encode = local_model.tokenizer.encode
    for token in encode("<tool_call>", add_special_tokens=False):
        assert constraint.mask() is None
        constraint.accept(token)
    allowed = {local_model.tokenizer.decode([int(token)]) for token in constraint.mask().nonzero()}
    assert all('{"name": "calculate"'.startswith(text) for text in allowed)
    free = local_model._grammars.constraint(request)
    free.accept(encode("Twelve", add_special_tokens=False)[0])
    assert free.mask() is None


def test_stop_cuts_the_answer(local_model: LocalModel) -> None:
    (full,) = local_model.generate([asked("Say: one two three four", max_tokens=24)])
    word = full.text.split()[1]
    (cut,) = local_model.generate([asked("Say: one two three four", max_tokens=24, stop=(word,))])
    assert full.text.startswith(cut.text)
    assert word not in cut.text
    assert cut.finish_reason == "stop"


def test_sampling_repeats_with_its_seed_only(local_model: LocalModel) -> None:
    def sampled(seed: int) -> str:
        (completion,) = local_model.generate([asked("Write a poem.", temperature=1.0, seed=seed, max_tokens=16)])
        return completion.text

    assert sampled(3) == sampled(3)
    assert len({sampled(seed) for seed in range(4)}) > 1


def test_a_prompt_that_does_not_fit_fails_alone(local_model: LocalModel) -> None:
    long, short = local_model.generate([asked("word " * 9000), asked("What is the capital of France?")])
    assert short.text
    with pytest.raises(CallFailed, match=r"tokens .* more than the 8192"):
        _ = long.text


def test_a_model_that_is_not_there_is_a_sentence(tmp_path: object) -> None:
    from advisor.core.errors import ModelError
    from advisor.models.local.model import open_local

    with pytest.raises(ModelError, match="cannot be loaded"):
        open_local(str(tmp_path))


def test_an_architecture_without_our_attention_is_served_by_plain_generate(local_model: LocalModel) -> None:
    from advisor.models.local import attention

    expected = [completion.text for completion in local_model.generate(REQUESTS[:2])]
    assert "generation" not in environment(ComparisonRequest(), local_model)
    local_model.network.set_attn_implementation("sdpa")
    try:
        assert environment(ComparisonRequest(), local_model)["generation"].startswith("plain generate, one answer")
        found = local_model.generate([*REQUESTS[:2], asked("Do fish fly?", choices=("yes", "no"))])
    finally:
        local_model.network.set_attn_implementation(attention.NAME)
    assert [completion.text for completion in found[:2]] == expected
    assert found[2].text in ("yes", "no")


@pytest.mark.parametrize(("shape", "options"), [
    ("Gemma2", {"attn_implementation": None}), ("GptOss", {"num_local_experts": 2, "num_experts_per_tok": 1}),
])  # fmt: skip
def test_architectures_that_the_engine_does_not_serve_are_opened_all_the_same(
    local_model: LocalModel, tmp_path: Path, shape: str, options: dict[str, object]
) -> None:
    """Gemma 2 caps its scores and GPT-OSS has sinks: transformers' own attention and `generate` serve them."""
    from advisor.models.local.model import open_local
    from tests.models.tiny_models import tiny

    size = {"vocab_size": 49152, "layer_types": ["sliding_attention", "full_attention", "full_attention"]}
    options = {name: value for name, value in options.items() if value is not None}
    tiny(shape, **size, **options).save_pretrained(tmp_path)
    local_model.tokenizer.save_pretrained(tmp_path)
    opened = open_local(str(tmp_path))
    assert opened.generation.startswith("plain generate")
    assert [done.error for done in opened.generate(REQUESTS[:2])] == ["", ""]


def test_a_model_without_a_chat_template_is_a_sentence(local_model: LocalModel) -> None:
    import copy

    from advisor.core.errors import ModelError
    from advisor.models.local.chat import ChatFormat

    bare = copy.deepcopy(local_model.tokenizer)
    bare.chat_template = None
    with pytest.raises(ModelError, match=r"no chat template.*\n.*--model smollm2"):
        ChatFormat(bare)


def test_precision_is_part_of_the_model_and_bad_ones_are_a_sentence(local_model: LocalModel) -> None:
    from advisor.core.errors import ConfigurationError
    from advisor.models.local.model import open_local

    assert local_model.precision == "fp32"
    assert "OMP_WAIT_POLICY" in environment(ComparisonRequest(), local_model)["threads"]
    other = open_local("smollm2", precision="bf16")
    assert other.precision == "bf16"
    assert other.fingerprint != local_model.fingerprint
    with pytest.raises(ConfigurationError, match=r"'fp16' is unknown; .*bf16, fp32"):
        open_local("smollm2", precision="fp16")
