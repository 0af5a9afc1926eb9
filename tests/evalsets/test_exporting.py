"""Fine-tuning files: every format is written, validated and read back as the same questions and answers."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.core.errors import ConfigurationError, EvalSetError
from advisor.core.shipped import load_evalset, save_evalset, shipped
from advisor.core.types import Chat, EvalSet, Example, Message, ToolSpec
from advisor.testing.toy_task import toy_evalset
from tests.small_comparison import write_evalset

shipped("evalsets")
exporting = import_module("advisor.evalsets.exporting")
formats = import_module("advisor.evalsets.formats")
read_jsonl = import_module("advisor.evalsets.readers").read_jsonl
FORMATS = ("openai", "together", "fireworks", "trl", "trl-prompt", "trl-text")
WEATHER = ToolSpec("weather", "Weather of a place.", {"type": "object", "properties": {"place": {"type": "string"}}})


def chats() -> EvalSet:
    """A set with turns, tools and calls."""

    def example(split: str, n: int) -> Example:
        turns = (Message("user", f"{split} hello {n}"), Message("assistant", "Hi."), Message("user", f"Rain in {n}?"))
        call = json.dumps({"name": "weather", "arguments": {"place": f"town {n}"}})
        return Example(f"{split}-{n}", Chat(turns, (WEATHER,)), call)

    train, dev, test = (tuple(example(split, n) for n in range(12)) for split in ("train", "dev", "test"))
    return EvalSet("chats", "Use the tool.", "tool_call_match", train, dev, test, output="json")


def written(evalset: EvalSet, kind: str, folder: Path) -> Path:
    path = folder / "train.jsonl"
    path.write_text(exporting.export(evalset, "train", kind), encoding="utf-8")
    return path


def back(path: Path) -> list[Example]:
    layout = formats.RecordLayout("train", "json")
    return [formats.to_example(row, layout) for row in read_jsonl(path)]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("made", [toy_evalset, chats])
def test_what_is_written_is_valid_and_reads_back_the_same(kind: str, made: Any, tmp_path: Path) -> None:
    evalset = made()
    path = written(evalset, kind, tmp_path)
    assert exporting.validate(path, kind) == len(evalset.train)
    for original, again in zip(evalset.train, back(path), strict=True):
        if original.target.startswith("{"):
            assert json.loads(again.target) == json.loads(original.target)
        else:
            assert again.target == original.target
        assert str(original.input) in str(again.input) or "\n\n" in str(again.input)
        if kind == "openai" and isinstance(original.input, Chat) and isinstance(again.input, Chat):
            assert again.input.tools == original.input.tools
            assert again.input.messages[1:] == original.input.messages


def test_only_the_last_answer_is_learned_from(tmp_path: Path) -> None:
    first = json.loads(written(chats(), "openai", tmp_path).read_text().splitlines()[0])
    assert [turn.get("weight") for turn in first["messages"]] == [None, None, 0, None, None]
    assert first["messages"][-1]["tool_calls"][0]["function"]["name"] == "weather"
    assert json.loads(first["messages"][-1]["tool_calls"][0]["function"]["arguments"]) == {"place": "town 0"}


GOOD = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "a"}, "must be a list of messages"),
        ({"messages": [*GOOD, {"role": "user", "content": "c"}]}, "the last message"),
        ({"messages": [{"role": "bot", "content": "a"}]}, "role 'bot' is unknown"),
        ({"messages": [GOOD[1]]}, "no message of the user"),
        ({"messages": [GOOD[0], {"role": "assistant", "content": ""}]}, "no content"),
        ({"messages": [GOOD[0], {**GOOD[1], "weight": 0}]}, "nothing is learned"),
        ({"messages": [GOOD[0], {**GOOD[1], "weight": 2}]}, "weight is 0 or 1"),
        ({"messages": [GOOD[0], {"role": "system", "content": "x"}, GOOD[1]]}, "must be the first"),
        ({"messages": [{"role": "tool", "content": "x"}, GOOD[1]]}, "tool_call_id"),
        ({"messages": [GOOD[0], {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
         "does not stand in 'tools'"),
        ({"messages": [GOOD[0], {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}],
          "tools": [{"type": "function", "function": {"name": "f"}}]}, "are no JSON"),
    ],
)  # fmt: skip
def test_the_validator_says_line_and_fault(row: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in [{"messages": GOOD}] * 10 + [row]))
    with pytest.raises(EvalSetError, match=r"a\.jsonl line 11: ") as caught:
        exporting.validate(path, "openai")
    assert said in str(caught.value)


def test_too_few_and_unknown_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"messages": GOOD}) + "\n")
    with pytest.raises(EvalSetError, match="takes 10 at least"):
        exporting.validate(path, "openai")
    assert exporting.validate(path, "trl") == 1
    with pytest.raises(ConfigurationError, match="did you mean 'openai'"):
        exporting.export(toy_evalset(), "train", "opena")


def test_the_verb_writes_checks_and_never_overwrites(tmp_path: Path) -> None:
    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["export", "evalset", *words], catch_exceptions=False)

    target = str(tmp_path / "train.jsonl")
    assert run("harrow_desk", "-o", target).exit_code == 0
    count = len(load_evalset("harrow_desk").train)
    assert f"{count} rows are fine for openai" in run(target, "--check").stdout
    assert run("harrow_desk", "-o", target).exit_code == 2
    assert run("harrow_desk", "--split", "all").exit_code == 2
    assert len(run("harrow_desk", "--format", "trl-text", "--split", "dev").stdout.splitlines()) == 100


def test_a_metric_that_is_code_is_in_no_copy(tmp_path: Path) -> None:
    folder = write_evalset(tmp_path / "set", metric="mine.py:Mine")
    (folder / "mine.py").write_text("class Mine:\n    name = 'mine'\n")
    with pytest.raises(EvalSetError, match="the metric of 'set' is code, which a copy cannot hold"):
        save_evalset(load_evalset(str(folder)), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
