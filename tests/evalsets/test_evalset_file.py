from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from advisor.core.errors import EvalSetError
from advisor.core.shipped import shipped

shipped("evalsets")
from advisor.evalsets.configuration import EvalSetFile, read_configuration  # noqa: E402

HEAD = "instruction: Answer.\nmetric: exact_match\n"


def read(tmp_path: Path, text: str | bytes) -> EvalSetFile:
    path = tmp_path / "evalset.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_configuration(path)


def test_plain_values_are_what_they_look_like(tmp_path: Path) -> None:
    settings = read(tmp_path, HEAD + "labels: [yes, no, on, 1, 007, 12:30, 2024-01-01, 1_000]\n")
    assert settings.labels == ["yes", "no", "on", "1", "007", "12:30", "2024-01-01", "1_000"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "lables: [a]\n", "evalset.yaml line 3: unknown key 'lables'; did you mean 'labels'?"),
        ("instruction: a\n", "the key 'metric' is missing"),
        (HEAD + "labels: 5\n", "evalset.yaml line 3: 'labels' is 5"),
        (HEAD + "labels: [1.5]\n", "line 3: 'labels' is 1.5"),
        (HEAD + "labels: [a, a]\n", "the label 'a' stands there twice"),
        (HEAD + "output: xml\n", "evalset.yaml line 3: 'output' is 'xml'"),
        (HEAD + "name: ../../etc\n", "'name' is '../../etc'"),
        (HEAD + "metric: chrf\n", "evalset.yaml line 3: the key 'metric' stands there twice"),
        (HEAD + "schema: {a: 1, a: 2}\n", "line 3: the key 'a' stands there twice"),
        ("instruction: a: b\n", "evalset.yaml line 1: mapping values are not allowed here"),
        ("- a\n- b\n", "a list of `key: value` lines is needed"),
        ("", "a list of `key: value` lines is needed"),
        (HEAD + "family: &x a\nsource: *x\n", "line 4: aliases (*name) are not read"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "aliases"),
        ("instruction: " + "[" * 100 + "]" * 100, "more than 30 levels"),
        (HEAD + "schema: [" + "a," * 25_000 + "]", "more than 30 levels or 20,000 values"),
        (HEAD + "source: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
        (HEAD + "schema: {a: !!binary aGk=}\n", "only texts, numbers"),
        (HEAD + "schema: {1: a}\n", "line 3: a key must be a text"),
        (HEAD + "x" * 130_000, "has 130,041 bytes; at most 128,000"),
        (HEAD.encode("utf-16"), "the file is UTF-16"),
        (HEAD + "source: a\x01b\n", "evalset.yaml"),
    ],
    ids=range(22),
)
def test_errors_say_where(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(EvalSetError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "evalset.yaml" in str(caught.value)


def test_damaged_files_end_in_one_sentence(tmp_path: Path) -> None:
    rng = random.Random(3)
    good = (HEAD + "labels: [a, b]\nschema: {type: object, properties: {a: {type: string}}}\ncaveat: 'x'\n").encode()
    said = []
    for _ in range(400):
        spoiled = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            spoiled[rng.randrange(len(spoiled))] = rng.choice(b"\0[]{}&*!|>'\"%@:-?# \n\t\xff9~")
        began = time.process_time()
        try:
            read(tmp_path, bytes(spoiled))
        except EvalSetError as error:
            said.append(str(error))
        assert time.process_time() - began < 60
    assert len(said) > 100
    assert all("evalset.yaml" in text for text in said)
