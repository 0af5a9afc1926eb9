"""A model's tokenizer without the model: for estimates before anything is loaded, fetched or asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from advisor.core.paths import cache, expanded

TokenCounter = Callable[[Sequence[str]], list[int]]
FILE = "tokenizer.json"


@lru_cache(maxsize=4)
def token_counter(spec: str) -> TokenCounter | None:
    """Return what counts tokens as the model that `spec` names does; `None` where its tokenizer is not at hand.

    It is for weights that lie on this machine (the embedded ones, a folder, what was fetched from Hugging Face before).
    Nothing is fetched.
    """
    path = _file(spec.strip())
    if path is None or not path.is_file():
        return None
    try:
        from tokenizers import Tokenizer

        tokenizer: Any = Tokenizer.from_file(str(path))
    except Exception:  # what is wrong with it is said by the comparison, which loads the model
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda texts: [len(one.ids) for one in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def _file(spec: str) -> Path | None:
    from advisor.models.opening import EMBEDDED

    if spec == EMBEDDED:
        return cache() / "weights" / EMBEDDED / FILE
    if spec.startswith("hf:"):
        from huggingface_hub import try_to_load_from_cache

        try:
            found = try_to_load_from_cache(spec.removeprefix("hf:"), FILE)
        except ValueError:  # no repository can be called this
            return None
        return Path(found) if isinstance(found, str) else None
    return expanded(spec) / FILE if spec and "://" not in spec else None
