"""The same question put otherwise: the example's own paraphrases, else changes of the surface by rule.

The rules change how a question is written and not what it says: letter case, the mark at its end, a polite word, a
contraction, a slip of the keyboard. They are rewordings, not paraphrases: whether a strategy understands another
sentence with the same meaning they cannot tell. Figures, quoted text, web addresses and code keep every character.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from advisor.core.fingerprints import digest
from advisor.core.types import Chat, Example, Input

PARAPHRASES = "paraphrases"
_CONTRACTIONS = {
    "what is": "what's",
    "where is": "where's",
    "who is": "who's",
    "how is": "how's",
    "it is": "it's",
    "that is": "that's",
    "do not": "don't",
    "does not": "doesn't",
    "cannot": "can't",
    "is not": "isn't",
    "i am": "i'm",
    "i have": "i've",
    "i would": "i'd",
    "you are": "you're",
    "we are": "we're",
}
_POLITE = ("Please: {}", "Hi, {}", "{} Thanks!", "Quick question: {}")
_KEPT = re.compile(r"""https?://\S+|\S+@\S+|`[^`]*`|"[^"]*"|\S*[\d_{}<>/\\=]\S*""")
_WORD = re.compile(r"\b[a-z]{6,}\b")


def rewordings(example: Example, count: int, seed: int) -> list[Example]:
    """Return at most `count` examples with the same id and target and another wording; none where there is no other.

    What the example has in `metadata.paraphrases` comes first; what is lacking is made by rule. Of a conversation the
    last user turn is reworded. Only `input` of what is returned may be shown to a strategy.
    """
    own = example.metadata.get(PARAPHRASES)
    if isinstance(own, str):
        own = [own]
    given = list(own) if isinstance(own, list | tuple) else []
    text = question_of(example.input)
    rng = np.random.default_rng([seed, int(digest([example.id, text])[:8], 16)])
    texts = [str(one) for one in given if str(one).strip() and str(one) != text]
    texts += [surface_changes(text, rng) for _ in range(2 * count)] if len(set(texts)) < count else []
    distinct = [one for one in dict.fromkeys(texts) if one != text][:count]
    return [replace(example, input=with_question(example.input, one)) for one in distinct]


def question_of(input: Input) -> str:
    """Return the text of an input; of a conversation its last user turn."""
    if isinstance(input, str):
        return input
    return next((turn.content for turn in reversed(input.messages) if turn.role == "user"), "")


def with_question(input: Input, text: str) -> Input:
    """Return the input with another text; of a conversation with another last user turn."""
    if isinstance(input, str):
        return text
    turns = list(input.messages)
    for at in reversed(range(len(turns))):
        if turns[at].role == "user":
            turns[at] = replace(turns[at], content=text)
            break
    return Chat(tuple(turns), input.tools)


def surface_changes(text: str, rng: np.random.Generator) -> str:
    """Return `text` after two of the rules that change it, drawn at random; the same text where none does."""
    changed, done = text, 0
    for at in rng.permutation(len(_RULES)):
        other = _outside_kept(changed, lambda part, rule=_RULES[at]: rule(part, rng))  # type: ignore[misc]
        if other != changed:
            changed, done = other, done + 1
        if done == 2:
            break
    return _polite(changed, rng) if rng.random() < 0.25 else changed


def _outside_kept(text: str, rule: Callable[[str], str]) -> str:
    """Apply a rule to the stretches between figures, quotations, addresses and code."""
    parts, start = [], 0
    for match in _KEPT.finditer(text):
        parts += [rule(text[start : match.start()]), match[0]]
        start = match.end()
    return "".join([*parts, rule(text[start:])])


def _case(text: str, rng: np.random.Generator) -> str:
    return text.lower()


def _end_mark(text: str, rng: np.random.Generator) -> str:
    return re.sub(r"[.?!]+(?=\s*$)", "", text)


def _contraction(text: str, rng: np.random.Generator) -> str:
    for long, short in _CONTRACTIONS.items():
        for one, other in ((long, short), (short, long)):
            found = re.search(rf"\b{re.escape(one)}\b", text, re.IGNORECASE)
            if found:
                written = other[0].upper() + other[1:] if found[0][0].isupper() else other
                return text[: found.start()] + written + text[found.end() :]
    return text


def _slip(text: str, rng: np.random.Generator) -> str:
    """Swap two letters inside one word of six lower-case letters or more."""
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = words[int(rng.integers(len(words)))]
    at = word.start() + 1 + int(rng.integers(len(word[0]) - 3))
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _polite(text: str, rng: np.random.Generator) -> str:
    return _POLITE[int(rng.integers(len(_POLITE)))].format(text) if text.strip() else text


_RULES: tuple[Callable[[str, np.random.Generator], str], ...] = (_case, _end_mark, _contraction, _slip)
