"""``advisor ask`` as it is typed: flags, file, environment, JSON, and the questions on a real terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from advisor.advice.file import build, validate_answers
from advisor.cli import app
from advisor.cli.ask import settle
from advisor.cli.ask_questions import QUESTIONS, interview
from advisor.core.errors import ConfigurationError
from advisor.economics.amounts import Range

ROOT = Path(__file__).parents[2]
FLAGS = {
    "kind": "format", "changes": "monthly", "examples": 400, "prompted": 0.62, "prompted_by": "few_shot",
    "ceiling": 0.95, "latency": "seconds", "private": True, "size": "7b", "source": ["documents", "tools"],
    "requests_per_month": "5000..20000", "value_per_correct": "0.4", "label_cost": "0.5", "horizon_months": 6.0,
    "margin": 0.03, "engineering_hours": "8", "training_usd": "5", "usd_per_request": "0.01",
    "tuned_usd_per_request": "0.02", "hosting_usd_per_month": 30.0, "pilot_tuned": 0.71, "pilot_prompted": 0.62,
    "pilot_n": 60, "evalset": "mine", "model": "smollm2", "seed": 3,
}  # fmt: skip


def advise(*arguments: str, **environment: str) -> Any:
    own = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", **environment}
    return CliRunner().invoke(app, ["ask", *arguments], env=own, catch_exceptions=False)


def as_typed(flags: dict[str, Any]) -> list[str]:
    words = []
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list) else [value]:
            words += [flag] if one is True else [flag, str(one)]
    return words


def test_every_flag_arrives() -> None:
    question = settle(FLAGS)
    s, e, c, p = question.situation, question.economics, question.costs, question.pilot
    assert (s.kind, s.changes, s.examples, s.prompted, s.prompted_by) == ("format", "monthly", 400, 0.62, "few_shot")
    assert (s.ceiling, s.latency, s.private, s.size, s.sources) == (0.95, "seconds", True, "7b", ("documents", "tools"))
    assert (e.requests_per_month, e.usd_per_correct_answer, e.usd_per_label) == (Range(5_000, 20_000), 0.4, 0.5)
    assert (e.horizon_months, e.margin, e.engineering_hours) == (6.0, 0.03, 8.0)
    assert (c.training_usd, c.usd_per_request, c.tuned_usd_per_request) == (5.0, 0.01, 0.02)
    assert c.hosting_usd_per_month == 30.0
    assert (p.tuned, p.prompted, p.n) == (0.71, 0.62, 60)
    assert (question.evalset, question.model, question.seed) == ("mine", "smollm2", 3)


def test_flags_file_and_environment_say_the_same(tmp_path: Path) -> None:
    plain = {k: v for k, v in FLAGS.items() if k in ("kind", "changes", "examples", "prompted", "prompted_by", "size")}
    path = tmp_path / "answers.yaml"
    path.write_text(yaml.safe_dump(plain))
    by_file = advise("--config", str(path), "--json").stdout
    assert by_file == advise(*as_typed(plain), "--json").stdout
    assert (
        by_file == advise("--json", **{f"ADVISOR_{name.upper()}": str(value) for name, value in plain.items()}).stdout
    )
    assert json.loads(advise("--config", str(path), "--examples", "77", "--json").stdout)["situation"]["examples"] == 77


def test_every_flag_is_also_a_variable_and_is_explained() -> None:
    command = get_command(app).commands["ask"]  # type: ignore[attr-defined]
    for parameter in command.params:
        if parameter.name == "help":
            continue
        assert parameter.envvar == f"ADVISOR_{parameter.name.strip('_').upper()}"
        assert parameter.help
    assert set(FLAGS) | {"json", "from_", "yes", "config", "calibration", "help"} >= {
        parameter.name for parameter in command.params
    }


def test_help_says_that_nothing_is_run() -> None:
    shown = " ".join(advise("--help").stdout.split())
    assert "from published results. Nothing is run." in shown
    assert "at most 12 questions" in shown


def test_json_is_whole_and_has_no_nan() -> None:
    found = json.loads(advise(*as_typed(FLAGS), "--json").stdout, parse_constant=lambda word: pytest.fail(word))
    assert list(found)[:3] == ["schema_version", "disclaimer", "answer"]
    assert found["worth"]["probability"] is not None
    assert found["calibration"]["tasks"] == 31


def test_the_report_fits_80_columns_and_says_first_that_nothing_was_run() -> None:
    done = advise(*as_typed(FLAGS), "--yes")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert max(map(len, lines)) <= 80
    assert "Nothing was run" in lines[1]
    words = " ".join(done.stdout.split())
    assert "WOULD LEAN TO" in words
    assert "31 tasks left out in turn" in words
    assert "advisor compare mine --model smollm2" in words
    assert "nan" not in words.lower().split()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--prompted", "1.2"], ["--prompted", "1.2"]),
        (["--examples", "-3"], ["--examples", "-3"]),
        (["--kind", "formt"], ["did you mean 'format'"]),
        (["--pilot-n", "9"], ["--pilot-tuned", "--pilot-prompted"]),
        (["--value-per-correct", "-1"], ["--value-per-correct"]),
        (["--requests-per-month", "9..3"], ["--requests-per-month"]),
        (["--private", "--model", "openai:gpt-4.1-mini"], ["your own machines", "--no-private"]),
        (["--config", "absent.yaml"], ["absent.yaml", "cannot be read"]),
        (["--from", "0123"], ["no comparison"]),
        (["--from", "0", "--pilot-tuned", "0.5", "--pilot-prompted", "0.5", "--pilot-n", "9"], ["leave one"]),
    ],
)
def test_bad_input_is_one_sentence(words: Any, says: Any) -> None:
    done = advise(*words, "--yes")
    assert done.exit_code in (1, 2)
    assert "Traceback" not in done.output
    for text in says:
        assert text in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kindd: format", "did you mean 'kind'"),
        ("economics: {margn: 0.1}", "did you mean 'margin'"),
        ("pilot: {tuned: 0.5, promted: 0.4, n: 9}", "did you mean 'prompted'"),
        ("- kind", "keys with values are needed"),
        ("kind: [", "is not YAML"),
        ("kind: format\nkind: voice", "stands there twice"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        settle({"config": str(tmp_path / "a.yaml")})


# --- the questions ---------------------------------------------------------------------------------------------------


def test_at_most_twelve_questions_in_80_columns() -> None:
    assert len(QUESTIONS) <= 12
    for asked in QUESTIONS:
        assert max(len(asked.text), len(asked.allowed)) + 7 <= 80


def test_only_what_is_not_known_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []
    known = interview({"kind": "format", "economics": {"usd_per_label": 1.0}}, lambda tried: None,
                      lambda prompt: asked.append(prompt) or "")  # fmt: skip
    assert len(asked) == len(QUESTIONS) - 2
    assert known == {"kind": "format", "economics": {"usd_per_label": 1.0}}
    assert "What should the model learn" not in capsys.readouterr().err


def test_amounts_are_answered_as_they_are_typed_after_flags() -> None:
    answers = iter(["", "", "", "62% few_shot", "95%", "40%", "5k..20k", "$0.10..$0.50", "$.5", *[""] * 4])
    tried = interview({}, lambda known: validate_answers(known, "that answer"), lambda prompt: next(answers))
    question = build(validate_answers(tried, "the answers"))
    assert (question.situation.prompted, question.situation.ceiling) == (0.62, 0.95)
    assert question.economics.requests_per_month == Range(5_000, 20_000), "40% is no number of requests, so asked again"
    assert question.economics.usd_per_correct_answer == Range(0.1, 0.5)
    assert question.economics.usd_per_label == 0.5


def on_a_terminal(tmp_path: Path, *keys: str, patience: float = 60) -> tuple[str, int]:
    """Run ``advisor ask`` under a pseudo-terminal, typing one of `keys` whenever it waits.

    After `patience` seconds of silence Ctrl-C is typed, as a person would, and then the process is killed.
    """
    child, screen = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(tmp_path)
        own = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
        os.execve(sys.executable, [sys.executable, "-m", "advisor", "ask"], own)
    shown, left = b"", list(keys)
    while select.select([screen], [], [], patience)[0] or (
        os.write(screen, b"\x03") and select.select([screen], [], [], 60)[0]
    ):
        try:
            some = os.read(screen, 65_536)
        except OSError:
            break
        if not some:
            break
        shown += some
        if left and shown.endswith(b"> "):
            os.write(screen, left.pop(0).encode())
    else:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(screen)
    return shown.decode(), status


def test_all_questions_on_a_terminal(tmp_path: Path) -> None:
    keys = ["formt\n", "format\n", "\n", "400\n", "0.62 few_shot\n", "?\n", "5000..20000\n", "0.4\n", "\n", "any\n",
            "yes\n", "7b\n", "both\n"]  # fmt: skip
    shown, status = on_a_terminal(tmp_path, *keys)
    assert status == 0, shown
    assert "did you mean 'format'" in shown
    assert "12/12" in shown
    assert "WOULD LEAN TO" in shown
    assert max(len(row.rstrip("\r")) for row in shown.split("\n")) <= 80


def test_control_d_answers_with_what_is_known(tmp_path: Path) -> None:
    shown, status = on_a_terminal(tmp_path, "format\n", "\x04")
    assert status == 0, shown
    assert "The rest is taken as not known" in shown
    assert "WOULD LEAN TO" in shown


def test_control_c_stops_without_a_traceback(tmp_path: Path) -> None:
    shown, status = on_a_terminal(tmp_path, "\x03", patience=10)
    assert status == 130, shown
    assert "nothing was run" in shown
    assert "Traceback" not in shown
