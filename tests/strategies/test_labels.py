"""Which labels a prompt names: of any number and length, as far as they fit, and what helps on dev."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from advisor.core.errors import ConfigurationError
from advisor.core.model import Completion, Request
from advisor.core.shipped import shipped
from advisor.core.types import EvalSet, Example
from advisor.models.scripted import ScriptedModel
from tests.strategies.recording import MakeContext, MakeStrategy

shipped("strategies")
from advisor.strategies.labels import LabelLists, Listing  # noqa: E402

WORDS = [f"{a}{b}" for a in ("red", "blue", "gold", "grey", "pink") for b in range(40)]


def embed(texts: Sequence[str]) -> Any:
    """A coordinate a word of `WORDS`, and one for what has none."""
    rows = np.zeros((len(texts), len(WORDS) + 1), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in text.split():
            row[WORDS.index(word) if word in WORDS else -1] = 1.0
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)


class Reader(ScriptedModel):
    """Says the label of the word in the question, where that label is named; else the first one that is."""

    def __init__(self, context_tokens: int | None = None, needs: str = "named") -> None:
        super().__init__({}, f"reader {context_tokens} {needs}")
        self.context_tokens, self.needs, self.longest = context_tokens, needs, 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [Completion(self._said(request)) for request in requests]

    def _said(self, request: Request) -> str:
        self.longest = max(self.longest, sum(self.count_tokens([one.content])[0] for one in request.messages))
        named = request.messages[0].content.partition("Allowed answers: ")[2].split(", ")
        word = request.messages[-1].content.split()[-1]
        if self.needs == "none":
            return label(word) if named == [""] else "no idea"
        return next((one for one in named if one.split("_")[1:2] == [word]), named[0])


def label(word: str, long: int = 0) -> str:
    return f"intent_{word}{'_of_a_long_name' * long}"


def labelled(count: int, long: int = 0, dev: int = 40) -> EvalSet:
    """`count` labels, the first of them the most frequent."""
    words = WORDS[:count]
    train = [(word, at) for place, word in enumerate(words) for at in range(1 + (count - place) // 20)]
    rows = {
        "train": [Example(f"t{w}{at}", f"please {at} {w}", label(w, long)) for w, at in train],
        "dev": [Example(f"d{w}", f"dear {w}", label(w, long)) for w in words[:: max(1, count // dev)]],
        "test": [Example(f"x{w}", f"hello {w}", label(w, long)) for w in words],
    }
    parts: Any = {name: tuple(part) for name, part in rows.items()}
    return EvalSet("t", "Which intent?", "label_accuracy", labels=tuple(label(w, long) for w in words), **parts)


@pytest.fixture
def scored(context: MakeContext, strategy: MakeStrategy) -> Any:
    def score(spec: str, evalset: EvalSet, model: Any) -> Any:
        made = strategy(spec)
        made.fit(evalset.train, context(model, evalset, embed=embed))
        said = made.predict([example.input for example in evalset.test])
        return float(np.mean([a.output == e.target for a, e in zip(said, evalset.test, strict=True)])), made

    return score


@pytest.mark.parametrize("spec", ["few_shot", "zero_shot", "rag", "optimised_prompt", "few_shot(k=2, pick='fixed')"])
@pytest.mark.parametrize("long", [0, 3])
@pytest.mark.parametrize("context_tokens", [None, 100_000, 300])
def test_many_labels_score_no_less_than_the_most_frequent_alone(
    scored: Any, spec: str, long: int, context_tokens: int | None
) -> None:
    spec = spec.replace("'", '"')
    few, _ = scored(spec, labelled(20, long), Reader(context_tokens))
    reader = Reader(context_tokens)
    many, made = scored(spec, labelled(150, long), reader)
    assert few == 1.0
    assert many >= few
    assert context_tokens is None or reader.longest < context_tokens
    assert made.selection["labels"]["of"] == 150
    assert 0 < made.selection["labels"]["listed"] <= 150


def test_naming_them_is_chosen_on_dev_whatever_their_number(scored: Any) -> None:
    for count in (5, 150):
        score, made = scored("few_shot", labelled(count), Reader(needs="none"))
        assert (score, made.selection["labels"]["named"]) == (1.0, "labels not listed")
        assert max(made.selection["labels"]["dev_scores"].values()) == 1.0
    _, found = scored("optimised_prompt", labelled(60), Reader(needs="none"))
    assert (found.selection["wording"], found.selection["labels"]["listed"]) == ("labels not listed", 0)


def test_parameters_leave_nothing_to_choose(scored: Any) -> None:
    for value, listed in (("true", 150), ("false", 0), ("7", 7), ("500", 150)):
        _, made = scored(f"few_shot(list_labels={value})", labelled(150), Reader())
        assert (made.selection["labels"]["listed"], made.selection["labels"]["dev_scores"]) == (listed, {})
    _, made = scored("few_shot(list_labels=true)", labelled(150), Reader(250))
    assert made.selection["labels"]["listed"] in (10, 20, 50, 100)


@pytest.mark.parametrize("wrong", [0, -3])
def test_a_number_of_labels_below_one_is_refused(strategy: MakeStrategy, wrong: int) -> None:
    with pytest.raises(ConfigurationError, match="list_labels"):
        strategy(f"few_shot(list_labels={wrong})")


def test_the_likest_are_those_of_label_and_examples(context: MakeContext) -> None:
    evalset = EvalSet(
        "t",
        "",
        "label_accuracy",
        (Example("1", "blue1", "intent_red1"), Example("2", "red3", "elsewhere")),
        (),
        (Example("3", "q", "intent_red1"),),
        labels=("intent_red1", "intent_red2", "intent_red3"),
    )
    lists = LabelLists(context(Reader(), evalset, embed=embed), evalset.train, 32)
    [by_example, by_word] = lists.shown(Listing(1, 3), ["blue1", "red3"])
    assert (list(by_example), list(by_word)) == (["intent_red1"], ["intent_red3"])
    assert lists.shown(Listing(3, 3), ["blue1"]) == [evalset.labels]
    assert list(lists.shown(Listing(0, 3), ["blue1"])[0]) == []


def test_the_count_is_the_least_with_nearly_all_right_labels_of_dev(context: MakeContext) -> None:
    evalset = labelled(150)
    lists = LabelLists(context(Reader(), evalset, embed=embed), evalset.train, 32)
    assert [one.k for one in lists.listings()] == [10, 150, 0]
    assert lists.recall[10] == 1.0
    blind = LabelLists(
        context(Reader(), evalset, embed=lambda t: np.ones((len(t), 1), dtype=np.float32)), evalset.train, 32
    )
    assert [one.k for one in blind.listings()] == [100, 150, 0]
    assert blind.recall[100] < 0.95
