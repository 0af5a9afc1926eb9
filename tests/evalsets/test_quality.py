from __future__ import annotations

import os
import re
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.core.data_check import DataFindings
from advisor.core.errors import ModelError
from advisor.core.shipped import load_evalset, shipped
from advisor.core.types import Chat, EvalSet, Example, Message, ToolSpec

shipped("evalsets")
quality = import_module("advisor.evalsets.quality")
leaks = import_module("advisor.evalsets.leaks")
labels = import_module("advisor.evalsets.labels")

DATASETS = Path(os.environ.get("ADVISOR_DATA_MIRROR", Path(__file__).parents[3] / "shared" / "datasets"))
WORDS = [f"{a}{b}" for a in ("ba", "ko", "ti", "ru", "me", "sa", "lo", "vi") for b in ("n", "rt", "sk", "lla", "m")]
LETTERS = re.compile("[a-z]+")


def embed(texts: Any) -> Any:
    """Bags of words, hashed by position in the list of words: unit length, and alike for texts that share words."""
    vectors = np.full((len(texts), len(WORDS) + 1), 1e-3, dtype=np.float32)
    for row, text in enumerate(texts):
        for word in LETTERS.findall(str(text).lower()):
            vectors[row, WORDS.index(word) if word in WORDS else -1] += 1.0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def sentence(rng: np.random.Generator, words: int = 12) -> str:
    return " ".join(rng.choice(WORDS, size=words, replace=False))


def a_set(train: list[Example], test: list[Example], dev: tuple[Example, ...] = (), **more: Any) -> EvalSet:
    return EvalSet("mine", "Answer.", "exact_match", tuple(train), dev, tuple(test), **more)


def random_set(rng: np.random.Generator, n_train: int = 60, n_test: int = 20) -> tuple[list[Example], list[Example]]:
    train = [Example(f"a{n}", sentence(rng), f"answer {n % 7}") for n in range(n_train)]
    return train, [Example(f"t{n}", sentence(rng), f"answer {n % 7}") for n in range(n_test)]


def look(evalset: EvalSet, seed: int = 0) -> DataFindings:
    found: DataFindings = quality.look_at_data(evalset, embed, np.random.default_rng(seed))
    return found


def test_a_clean_set_is_clean(rng: np.random.Generator) -> None:
    found = look(a_set(*random_set(rng)))
    assert (found.leaks, found.conflicts, found.incomplete) == ((), (), "")
    assert (found.label_noise, found.largest_class) == (None, None)
    assert found.label_note == "the task has no closed labels"


def test_planted_leaks_of_each_kind_are_found_once_each(rng: np.random.Generator) -> None:
    train, test = random_set(rng)
    one, two, three = (str(train[at].input).split() for at in (1, 2, 3))
    test[4] = Example("shout", " ".join(one).upper() + "!", train[1].target)
    test[5] = Example("tail", " ".join([*two, "besides"]), train[2].target)
    test[6] = Example("shuffled", " ".join(three[::-1]), train[3].target)
    found = {leak.test_id: leak for leak in look(a_set(train, test)).leaks}
    assert {name: (leak.train_id, leak.kind) for name, leak in found.items()} == {
        "shout": ("a1", "exact"),
        "tail": ("a2", "minhash"),
        "shuffled": ("a3", "embedding"),
    }
    assert found["tail"].similarity == pytest.approx(10 / 11)
    assert found["shout"].similarity == 1.0
    assert (found["shout"].test_text, found["shout"].train_text) == (test[4].input, train[1].input)


def test_a_neighbour_with_another_answer_leaks_nothing(rng: np.random.Generator) -> None:
    train, test = random_set(rng)
    words = str(train[1].input)
    others = [words.upper(), f"{words} besides", " ".join(words.split()[::-1])]
    for at, text in enumerate(others):
        test[at] = Example(f"x{at}", text, "something else")
    assert look(a_set(train, test)).leaks == ()
    accepted = Example("x0", words.upper(), "something else", {"answers": [train[1].target.upper()]})
    assert [leak.test_id for leak in look(a_set(train, [accepted])).leaks] == ["x0"]


def test_dev_leaks_too(rng: np.random.Generator) -> None:
    train, test = random_set(rng)
    dev = (Example("d0", str(test[3].input).upper(), test[3].target),)
    assert [(leak.test_id, leak.train_id) for leak in look(a_set(train, test, dev)).leaks] == [("t3", "d0")]


def test_what_all_rows_share_makes_no_leak(rng: np.random.Generator) -> None:
    system = Message("system", " ".join(WORDS))
    train, test = random_set(rng)
    chats = [
        [Example(e.id, Chat((system, Message("user", str(e.input)))), e.target) for e in part] for part in (train, test)
    ]
    assert look(a_set(chats[0], chats[1])).leaks == ()


def test_the_same_question_with_other_tools_is_another_question() -> None:
    def asked(name: str) -> Chat:
        return Chat((Message("user", "go on"),), (ToolSpec(name, "", {}),))

    found = look(a_set([Example("a", asked("x"), "1"), Example("b", asked("y"), "2")], [Example("t", "else", "3")]))
    assert found.conflicts == ()


def test_conflicting_duplicates_are_grouped(rng: np.random.Generator) -> None:
    train, test = random_set(rng)
    train += [
        Example("c1", str(train[0].input).upper(), "another"),
        Example("c2", f"{train[0].input}.", train[0].target),
        Example("same", f"{train[1].input}?", train[1].target),
        Example("either", f"{train[2].input}?", "x", {"answers": [train[2].target]}),
    ]
    assert look(a_set(train, test)).conflicts == (("a0", "c1", "c2"),)


def test_without_embeddings_the_rest_is_looked_at(rng: np.random.Generator) -> None:
    def broken(texts: Any) -> Any:
        raise ModelError("no weights here")

    train, test = random_set(rng)
    test[4] = Example("shout", str(train[1].input).upper(), train[1].target)
    evalset = a_set(train, test, labels=tuple(sorted({e.target for e in (*train, *test)})))
    found = quality.look_at_data(evalset, broken, np.random.default_rng(0))
    assert [leak.kind for leak in found.leaks] == ["exact"]
    assert "no weights here" in found.incomplete
    assert found.label_noise is None
    assert found.largest_class == pytest.approx(9 / 60)


def test_many_copies_of_one_question_are_not_compared_pair_by_pair() -> None:
    train = [Example(f"a{n}", f"the same words over and over again {n % 3}", str(n % 3)) for n in range(6000)]
    test = [Example(f"t{n}", f"The same words over and over again, {n % 3}!", str(n % 3)) for n in range(500)]
    started = time.process_time()
    assert len(look(a_set(train, test)).leaks) == 500
    assert time.process_time() - started < 300


def test_long_texts_are_cut_and_only_the_first_suspects_carry_them(rng: np.random.Generator) -> None:
    texts = [sentence(rng, 30) * 3 for _ in range(80)]
    train = [Example(f"a{n}", text, "x") for n, text in enumerate(texts)]
    test = [Example(f"t{n}", text.upper(), "x") for n, text in enumerate(texts)]
    found = look(a_set(train, test)).leaks
    assert len(found) == 80
    assert {len(leak.test_text) for leak in found} == {300, 0}
    assert sum(bool(leak.test_text) for leak in found) == 50


# --- labels ----------------------------------------------------------------------------------------------------------


def labelled(rng: np.random.Generator, noise: float, n: int = 900, kinds: int = 6) -> tuple[EvalSet, Any, int]:
    """An easy set: six clusters; a share of the labels is replaced by another one."""
    centres = rng.standard_normal((kinds, 24))
    kind = np.arange(n) % kinds
    points = centres[kind] * 2.0 + 0.5 * rng.standard_normal((n, 24))
    vectors = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    wrong = rng.random(n) < noise
    given = np.where(wrong, (kind + rng.integers(1, kinds, n)) % kinds, kind)
    names = tuple("abcdef"[:kinds])
    train = [Example(f"{'wrong' if wrong[i] else 'ok'}{i}", f"question {i}", names[given[i]]) for i in range(n)]
    table = {str(e.input): vectors[i] for i, e in enumerate(train)}
    test = [Example("t", "the test question", "a")]
    zero = np.zeros(24, dtype=np.float32)
    return (
        a_set(train, test, labels=names),
        lambda texts: np.stack([table.get(t, zero) for t in texts]),
        int(wrong.sum()),
    )


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.10, 0.20])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_label_noise_is_recovered_within_its_interval(noise: float, seed: int) -> None:
    evalset, vectors, wrong = labelled(np.random.default_rng(seed), noise)
    found = quality.look_at_data(evalset, vectors, np.random.default_rng(seed + 10))
    assert found.label_noise.low <= wrong / 900 <= found.label_noise.high
    assert found.label_noise.high - found.label_noise.low < 0.08
    named = [one.id.startswith("wrong") for one in found.suspicious]
    assert sum(named) >= 0.9 * wrong
    assert not named or sum(named) >= 0.9 * len(named)


def test_suspicious_labels_say_what_they_look_like() -> None:
    evalset, vectors, _ = labelled(np.random.default_rng(3), 0.05)
    first = quality.look_at_data(evalset, vectors, np.random.default_rng(0)).suspicious[0]
    row = next(e for e in evalset.train if e.id == first.id)
    assert (first.text, first.given) == (row.input, row.target)
    assert first.likely in evalset.labels
    assert first.likely != first.given
    assert 0.5 < first.gap <= 1.0


def test_the_same_seed_gives_the_same_findings() -> None:
    evalset, vectors, _ = labelled(np.random.default_rng(0), 0.1, 300)
    one, two = (quality.look_at_data(evalset, vectors, np.random.default_rng(5)) for _ in range(2))
    assert one == two


def test_a_classifier_that_is_mostly_wrong_gives_suspects_and_no_figure() -> None:
    evalset, vectors, _ = labelled(np.random.default_rng(0), 0.45)
    found = quality.look_at_data(evalset, vectors, np.random.default_rng(0))
    assert found.label_noise is None
    assert found.suspicious
    assert "too few to tell a wrong label from a hard example" in found.label_note


@pytest.mark.parametrize("targets", [
    ["a"] * 80, ["a", "b"] * 10, [f"label {n}" for n in range(80)], ["a"] * 78 + ["b", "b"],
])  # fmt: skip
def test_too_few_examples_give_a_reason_and_no_figure(targets: list[str], rng: np.random.Generator) -> None:
    train = [Example(f"a{n}", sentence(rng), target) for n, target in enumerate(targets)]
    evalset = a_set(train, [Example("t", sentence(rng), targets[0])], labels=tuple(sorted(set(targets))))
    found = look(evalset)
    assert found.label_noise is None
    assert found.suspicious == ()
    assert "at least 50 examples" in found.label_note


def test_rare_labels_are_left_out_and_that_is_said() -> None:
    evalset, vectors, _ = labelled(np.random.default_rng(0), 0.0, 300)
    rare = Example("rare", "question 0", "z")
    grown = a_set([*evalset.train, rare], list(evalset.test), labels=(*evalset.labels, "z"))
    found = quality.look_at_data(grown, vectors, np.random.default_rng(0))
    assert found.label_noise is not None
    assert found.label_note == "labels with fewer than 5 examples are left out"
    assert found.smallest_class == pytest.approx(1 / 301)


def test_identical_points_with_random_labels_are_no_crash(rng: np.random.Generator) -> None:
    train = [Example(f"a{n}", f"{WORDS[0]} {n}", "ab"[n % 2]) for n in range(80)]
    found = look(a_set(train, [Example("t", "x", "a")], labels=("a", "b")))
    assert found.label_noise is None or 0.0 <= found.label_noise.low <= found.label_noise.high <= 1.0


def test_progress_is_shown_and_ends_where_it_should() -> None:
    evalset, vectors, _ = labelled(np.random.default_rng(0), 0.0, 300)
    seen: list[tuple[str, int, int]] = []
    quality.look_at_data(evalset, vectors, np.random.default_rng(0), lambda *step: seen.append(step))
    last = {what: (done, total) for what, done, total in seen}
    assert len(last) == 6
    assert all(done == total for done, total in last.values())


# --- real sets -------------------------------------------------------------------------------------------------------


def test_banking77_repeats_25_test_messages_in_train() -> None:
    """Case and punctuation aside; 33 with articles aside too, of which the loader has taken six out of train."""
    folder = DATASETS / "banking77"
    if not folder.exists():
        pytest.skip("banking77 is not at hand; ADVISOR_DATA_MIRROR says where it is")
    evalset = load_evalset(str(folder))
    learned = (*evalset.train, *evalset.dev)
    read = import_module("advisor.evalsets.readers").read_jsonl
    rows = [row.fields for row in read(folder / "train.jsonl")]
    known = {bare(str(row["input"])) for row in rows}
    assert sum(bare(str(e.input)) in known for e in evalset.test) == 25
    key = import_module("advisor.evalsets.sameness").key_of
    normal = {key(Example("", str(row["input"]), "")) for row in rows}
    assert sum(key(e) in normal for e in evalset.test) == 33
    found, told = leaks.find(evalset.test, learned, None, lambda *_: None)
    kinds = Counter(leak.kind for leak in found)
    assert told == ""
    assert kinds["exact"] == 27
    assert kinds["minhash"] == 99  # as comparing all with all finds


def bare(text: str) -> str:
    """Letters and figures only; every other sign parts words."""
    return " ".join(re.findall("[a-z0-9]+", text.lower()))
