"""Which documents an example needs, and whether a text holds its answer."""

from __future__ import annotations

from collections.abc import Container, Iterable

from advisor.core.types import Example


def gold_documents(example: Example, field: str, known: Container[str]) -> tuple[str, ...]:
    """Return the ids of the documents that an example's answer stands in, those that are known, each once.

    Args:
        example: names one or a list of them in its metadata.
        field: the eval set's `gold_document_field`; empty where it has none.
        known: the ids that there are, e.g. a mapping by id.
    """
    named = example.metadata.get(field, ()) if field else ()
    ids = [str(name) for name in named] if isinstance(named, list | tuple) else [str(named)]
    return tuple(dict.fromkeys(name for name in ids if name in known))


def holds_answer(example: Example, texts: Iterable[str]) -> bool:
    """Return whether an accepted answer stands word for word in one of the texts, case and white space aside."""
    plain = [_plain(text) for text in texts]
    return any(answer and answer in text for answer in map(_plain, example.references) for text in plain)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
