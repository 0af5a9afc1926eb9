"""Documents in pieces that fit a prompt, cut where their own structure has a seam."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from advisor.core.errors import ConfigurationError
from advisor.core.types import Document, Piece

LEAST_TOKENS = 16
OVERLAP = 1 / 8
"""Of a piece is said again at the beginning of the next one, so that what stands across a seam is whole in one."""


def split(documents: Sequence[Document], tokens: int, count: Callable[[Sequence[str]], Sequence[int]]) -> list[Piece]:
    """Return the documents in pieces of at most `tokens` tokens, in order; nothing but white space is left out.

    What fits stays whole: the document, else its sections, paragraphs, lists, tables and code blocks (as Markdown; of
    plain text its paragraphs), else sentences, else words (semantic-text-splitter). A piece may begin with the end of
    the one before, at most an eighth. The title does not count.

    Args:
        documents: to be split.
        tokens: the most a piece may take, at least 16.
        count: how many tokens each text takes.

    Raises:
        ConfigurationError: fewer tokens than 16.
    """
    from semantic_text_splitter import MarkdownSplitter

    if tokens < LEAST_TOKENS:
        raise ConfigurationError(
            f"pieces of {tokens!r} tokens say too little; at least {LEAST_TOKENS} are needed",
            hint="--strategy 'rag(piece_tokens=256)'",
        )
    splitter = MarkdownSplitter.from_callback(lambda text: count([text])[0], tokens, overlap=int(OVERLAP * tokens))
    pieces = list[Piece]()
    for document, size in zip(documents, count([document.text for document in documents]), strict=True):
        parts = [(0, document.text)] if size <= tokens else splitter.chunk_indices(document.text)
        pieces += [Piece(document.id, document.title, text, start) for start, text in parts]
    return pieces
