"""Documents in pieces: within the limit, nothing lost, structure kept; and what a chat asks."""

from __future__ import annotations

import pytest

from advisor.core.errors import ConfigurationError
from advisor.core.queries import MOST_BYTES, query_text
from advisor.core.splitting import split
from advisor.core.tokens import estimated_tokens
from advisor.core.types import Chat, Document, Message

MARKDOWN = """# Rivers

Some lines about rivers.

| river | length |
|---|---|
| Oder | 840 |
| Elbe | 1094 |

```python
def length(river):

    return LENGTHS[river]
```

- one point
- another point

## Lakes

Lakes lie still. They are deep. """


def texts_of(text: str, tokens: int) -> list[str]:
    return [piece.text for piece in split([Document("d", "t", text)], tokens, estimated_tokens)]


def test_what_fits_stays_whole() -> None:
    documents = [Document("a", "A", "short"), Document("b", "B", "  also  short\n"), Document("c", "C", "")]
    pieces = split(documents, 64, estimated_tokens)
    assert [(piece.id, piece.title, piece.text, piece.start) for piece in pieces] == [
        ("a", "A", "short", 0), ("b", "B", "  also  short\n", 0), ("c", "C", "", 0),
    ]  # fmt: skip


def test_tables_code_and_lists_stay_whole_where_they_fit() -> None:
    pieces = texts_of(MARKDOWN, 40)
    for whole in (
        "| Oder | 840 |\n| Elbe | 1094 |",
        "def length(river):\n\n    return",
        "- one point\n- another point",
    ):
        assert any(whole in piece for piece in pieces), whole


@pytest.mark.parametrize(
    "text",
    [
        MARKDOWN * 5,
        "word " * 2000,
        "x" * 3000,
        "机器学习是一门科学。" * 200,
        "ภาษาไทย" * 200,
        "a\n" * 900,
        "👩‍👩‍👧" * 300,
    ],
    ids=["markdown", "words", "no seam", "Chinese", "Thai", "lines", "emoji"],
)
def test_pieces_keep_the_limit_and_lose_nothing(text: str) -> None:
    pieces = split([Document("d", "t", text)], 64, estimated_tokens)
    assert len(pieces) > 1
    assert max(estimated_tokens([piece.text for piece in pieces])) <= 64
    covered = set[int]()
    for piece in pieces:
        assert text[piece.start : piece.start + len(piece.text)] == piece.text
        covered |= set(range(piece.start, piece.start + len(piece.text)))
    assert not "".join(mark for at, mark in enumerate(text) if at not in covered).strip()


def test_what_stands_across_a_seam_is_whole_in_one_piece() -> None:
    words = [f"w{at}" for at in range(600)]
    pieces = texts_of(" ".join(words), 64)
    assert all(
        any(f"{a} {b} {c}" in piece for piece in pieces) for a, b, c in zip(words, words[1:], words[2:], strict=False)
    )


def test_pieces_that_say_too_little_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="pieces of 3 tokens say too little; at least 16"):
        split([Document("d", "t", "x")], 3, estimated_tokens)


def chat(*turns: tuple[str, str]) -> Chat:
    return Chat(tuple(Message(role, content) for role, content in turns))  # type: ignore[arg-type]


def test_what_an_input_asks() -> None:
    assert query_text("plain\n text") == "plain\n text"
    system = ("system", "You are a helpful bot. " * 200)
    assert query_text(chat(system, ("user", "Where is it?"))) == "Where is it?"
    earlier = (("user", "Hello"), ("assistant", "Hi"))
    assert query_text(chat(system, *earlier, ("user", "Where?"))) == "Hello\nHi\nWhere?"
    called = (("user", "Weather?"), ("assistant", ""), ("tool", '{"sky": "blue"}'))
    assert query_text(chat(*called)) == 'Weather?\n{"sky": "blue"}'


def test_the_last_user_turn_is_whole_and_the_nearest_turns_fit_first() -> None:
    long, near, far = "q" * (MOST_BYTES + 5), "near " * 100, "far " * 200
    assert query_text(chat(("user", "before"), ("user", long))) == long
    assert query_text(chat(("user", far), ("assistant", near), ("user", "now"))) == f"{near}\nnow"
    assert query_text(chat(("user", "small"), ("assistant", "q" * MOST_BYTES), ("user", "now"))) == "now"


def test_a_chat_without_a_user_turn_gives_what_it_has() -> None:
    assert query_text(chat(("system", "s"), ("assistant", "a"), ("tool", "t"))) == "a\nt"
    assert query_text(chat(("system", "only this"))) == "only this"
    assert query_text(Chat(())) == ""
