"""A model of a few thousand weights with a tokenizer of a few words, and an adapter for it, as files."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

WORDS = ("[unk]", "<s>", "</s>", "user", "assistant", "system", "a", "b", "c", ":", "\n", "hello")
TEMPLATE = "{% for m in messages %}{{ m.role }} : {{ m.content }} {% endfor %}assistant :"


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def tiny_model() -> dict[str, bytes]:
    """Return the files of a folder that `open_local` opens."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    plain = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[unk]"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="[unk]", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = TEMPLATE
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        LlamaForCausalLM(config).save_pretrained(place)
        tokenizer.save_pretrained(place)
        return _files(Path(place))


def tiny_adapter(base: Path) -> dict[str, bytes]:
    """Return the files of a LoRA adapter for the model in `base`."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], layers_to_transform=[1])
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers for a property by its old name
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(place)
        return {name: content for name, content in _files(Path(place)).items() if not name.endswith(".md")}
