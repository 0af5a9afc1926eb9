"""Rows that come from somewhere else: a pandas frame, a file split by a rule, a chat log; and a set written again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import advisor
from advisor.cli import app
from advisor.core.errors import ConfigurationError, EvalSetError
from advisor.core.types import Chat


def frame(count: int = 60) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "question": [f"question {n}" for n in range(count)],
            "answer": ["ab"[n % 2] for n in range(count)],
            "when": pd.date_range("2026-01-01", periods=count),
            "score": [None if n % 3 else n for n in range(count)],
        }
    )


def test_a_frame_is_read_as_a_file_with_its_rows_is(tmp_path: Path) -> None:
    found = advisor.load_evalset(frame())
    frame().to_csv(tmp_path / "frame.csv", index=False)
    same = advisor.load_evalset(tmp_path / "frame.csv")
    assert {str(e.input) for e in found.test} == {str(e.input) for e in same.test}
    assert (found.metric, found.labels) == ("label_accuracy", ("a", "b"))
    assert all("score" not in e.metadata or e.metadata["score"] is not None for e in found.train)
    named = advisor.load_evalset(frame().rename(columns={"question": "x"}), columns={"input": "x", "target": "answer"})
    assert len(named.train) == len(found.train)
    with pytest.raises(EvalSetError, match="frame line 1: which fields"):
        advisor.load_evalset(frame().rename(columns={"question": "x"}))


def test_a_set_that_is_saved_is_the_same_set(tmp_path: Path) -> None:
    found = advisor.load_evalset(frame())
    folder = advisor.save_evalset(found, tmp_path / "saved")
    again = advisor.load_evalset(folder)
    assert again.fingerprint == found.fingerprint
    with pytest.raises(ConfigurationError, match="exists already"):
        advisor.save_evalset(found, folder)


def init(*words: str) -> Any:
    return CliRunner().invoke(app, ["init", "evalset", *words], catch_exceptions=False)


def test_init_splits_by_time_and_by_label(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "log.csv", index=False)
    done = init(str(tmp_path / "a"), "--from", str(tmp_path / "log.csv"), "--split", "time=when")
    assert done.exit_code == 0
    assert f"advisor check {tmp_path / 'a'}" in done.stdout
    days = [json.loads(line)["metadata"]["when"] for line in (tmp_path / "a" / "test.jsonl").read_text().splitlines()]
    assert min(days) == "2026-02-15"
    assert init(str(tmp_path / "b"), "--from", str(tmp_path / "log.csv"), "--split", "stratified").exit_code == 0
    assert init(str(tmp_path / "c"), "--from", str(tmp_path / "log.csv"), "--split", "fair").exit_code == 2
    assert init(str(tmp_path / "d"), "--split", "stratified").exit_code == 2


def test_init_takes_a_chat_log_with_its_tools(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "find", "description": "Find.", "parameters": {"type": "object"}}}
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    rows = [
        {"messages": [{"role": "user", "content": f"find {n}"}, {"role": "assistant", "tool_calls": [call]}],
         "tools": [tool]} for n in range(20)
    ]  # fmt: skip
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert init(str(tmp_path / "set"), "--from", str(tmp_path / "log.jsonl")).exit_code == 0
    found = advisor.load_evalset(tmp_path / "set")
    assert found.metric == "tool_call_match"
    assert isinstance(found.train[0].input, Chat)
    assert found.train[0].input.tools[0].name == "find"
