"""The command line as a user meets it: a process, its output, its exit code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from advisor.cli import app
from advisor.cli.common import pairs
from advisor.cli.compare import settle
from advisor.cli.progress import ProgressLine, seconds
from advisor.core.errors import ConfigurationError
from advisor.decision.request import ComparisonRequest
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from tests.cli.command import HEAVY, ROOT, Advise, refused


@pytest.mark.parametrize("verb", [[], ["ask"], ["compare"], ["init", "strategy"]])
def test_help_imports_nothing_heavy(verb: list[str], tmp_path: Path) -> None:
    code = (
        "import sys, io, contextlib\nfrom advisor.cli import app\n"
        "with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        f"    app({[*verb, '--help']!r}, standalone_mode=False)\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), 'Usage' in out.getvalue())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[] True", done.stderr


def test_every_flag_of_compare_is_also_a_variable() -> None:
    command = get_command(app).commands["compare"]  # type: ignore[attr-defined]
    flags = {parameter.name: parameter.envvar for parameter in command.params if parameter.name != "help"}
    assert flags.pop("trust_code") is None  # it has to be typed
    for name, variable in flags.items():
        assert str(variable) == f"ADVISOR_{name.upper()}"


def test_version_and_no_arguments(advise: Advise) -> None:
    assert advise("--version").stdout.strip().startswith("tuneworthy 0.")
    assert "compare" in advise().stdout + advise().stderr


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "evalset: from-file\nlimit: 10\nstrategies: [rag]\noutput: [a.html]\n"
        "economics: {margin: 0.05, requests_per_month: [10, 20], horizon_months: 6}\n"
    )
    options, outputs = settle({"config": str(path), "limit": 99, "margin": 0.01, "value_per_correct": "0.1..0.2"})
    assert (options.evalset, options.limit, options.strategies, outputs) == ("from-file", 99, ("rag",), ("a.html",))
    assert options.economics.margin == 0.01
    assert options.economics.requests_per_month == Range(10, 20)
    assert options.economics.usd_per_correct_answer == Range(0.1, 0.2)
    assert options.economics.horizon_months == 6
    assert options.seeds == ComparisonRequest().seeds


def test_no_options_are_the_defaults() -> None:
    assert settle({}) == (ComparisonRequest(), ())
    assert settle({})[0].economics == Economics()


def test_every_plain_flag_arrives() -> None:
    given = {
        "evalset": "e", "model": "m", "strategy": ["a", "b"], "column": ["input=q"], "seeds": 3, "limit": 4,
        "train_limit": 5, "seed": 6, "jobs": 7, "budget": 8.0, "offline": True, "output": ["r.md"],
    }  # fmt: skip
    options, outputs = settle(given)
    expected = ComparisonRequest(
        evalset="e", model="m", strategies=("a", "b"), columns={"input": "q"}, seeds=3, limit=4,
        train_limit=5, seed=6, jobs=7, budget_usd=8.0, offline=True,
    )  # fmt: skip
    assert (options, outputs) == (expected, ("r.md",))


def test_variables_stand_between_flags_and_file(advise: Advise, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("evalset: from-the-file\n")
    variables = {"ADVISOR_EVALSET": "from-a-variable", "ADVISOR_CONFIG": "c.yaml"}
    refused(advise("compare", "from-a-flag", environment=variables), 2, "from-a-flag")
    refused(advise("compare", environment=variables), 2, "from-a-variable")
    refused(advise("compare", "--config", "c.yaml"), 2, "from-the-file")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--limit", "0"], ["limit", "greater than or equal to 1"]),
        (["--limti", "3"], ["No such option", "--limit"]),
        (["-o", "report.pdf"], ["'report.pdf'", "allowed: .csv", ".html", "--output report.html"]),
        (["-o", "report"], ["no extension that names a report format"]),
        (["-o", "/dev/null/report.html"], ["cannot be written"]),
        (["--column", "question"], ["'question' is not written name=column", "--column input=question"]),
        (["--requests-per-month", "many"], ["'many' is neither a number", "5000..20000"]),
        (["--config", "none.yaml"], ["'none.yaml' cannot be read", "advisor init comparison none.yaml"]),
    ],
)
def test_wrong_options_are_refused_at_once(advise: Advise, arguments: list[str], says: list[str]) -> None:
    done = advise("compare", *arguments)
    refused(done, 2)
    text = " ".join(done.stderr.replace("│", " ").split())
    for expected in says:
        assert expected in text


def test_unknown_strategy_gets_the_nearest_name(advise: Advise) -> None:
    advise("init", "evalset", "mine")
    refused(advise("compare", "mine", "-s", "few_shots"), 2, "no strategy 'few_shots'; did you mean 'few_shot'?")


def test_expected_errors_have_no_traceback_unless_asked_for(process: Advise) -> None:
    refused(process("compare", "-o", "x.pdf"), 2, "advisor: --output 'x.pdf'")
    done = process("compare", "-o", "x.pdf", environment={"ADVISOR_DEBUG": "1"})
    assert done.returncode != 0
    assert "Traceback" in done.stderr


INTERRUPTED = """
class Stop:
    name = "stop"
    def fit(self, train, ctx): raise KeyboardInterrupt
    def predict(self, inputs): ...
"""


def test_compare_report_and_list_work_together(advise: Advise, mine: list[str], tmp_path: Path) -> None:
    strategies = ["-s", "majority", "-s", "zero_shot", "-s", "mine.py:FirstWords"]
    done = advise(*mine, *strategies, "-o", "r.json", "-o", "r.md")
    assert done.returncode == 0, done.stderr
    assert "first_words" in done.stdout
    assert "Wrote r.md" in done.stderr
    assert "first_words" in (tmp_path / "r.md").read_text(encoding="utf-8")
    written = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))

    [run] = json.loads(advise("list", "runs", "--json").stdout)
    assert run["id"] in json.dumps(written)
    again = advise("report", run["id"][:6], "--json")
    assert json.loads(again.stdout) == written
    assert advise("report", "--quiet").stdout.strip() in json.dumps(written, ensure_ascii=False)

    same = advise(*mine, *strategies, "--quiet")
    assert (same.returncode, same.stderr) == (0, "")
    gate = advise(*mine, "-s", "majority", "--quiet", "--fail-under", "0.9")
    refused(gate, 100, "'majority' is 0.3333, under 0.9")


def test_dry_run_does_nothing(advise: Advise, mine: list[str]) -> None:
    done = advise(*mine, "-s", "majority", "-s", "zero_shot", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "zero_shot" in done.stdout
    planned = json.loads(advise(*mine, "-s", "zero_shot", "--dry-run", "--json").stdout)
    assert (planned["n_test"], planned["rows"][0]["calls"]) == (18, 18)
    assert advise("list", "runs").stdout.strip() == "(none)"


def test_undecided_has_its_own_exit_code(advise: Advise, mine: list[str]) -> None:
    undecided = advise(*mine, "-s", "majority", "-s", "zero_shot", "--quiet", "--require-decision")
    decided = advise("report", "--json")
    answer = json.loads(decided.stdout)["verdict"]["answer"]
    assert undecided.returncode == (5 if answer == "not_yet" else 0), undecided.stderr


def test_interrupt_says_how_to_go_on(process: Advise, mine: list[str], tmp_path: Path) -> None:
    (tmp_path / "stop.py").write_text(INTERRUPTED)
    refused(
        process(*mine, "-s", "stop.py:Stop"), 130, "interrupted", "To go on, type:", "advisor compare", "stop.py:Stop"
    )


def test_report_without_a_run(advise: Advise) -> None:
    refused(advise("report"), 1, "no comparison yet", "advisor compare")
    refused(advise("report", "nothing"), 1, "'nothing'", "advisor list runs")
    refused(advise("report", "-o", "x.pdf"), 2, "x.pdf")


def test_closed_pipe_is_quiet(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = f"{sys.executable} -m advisor list | true"
    done = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_progress_in_plain_lines() -> None:
    now = [0.0]
    out = io.StringIO()
    with ProgressLine(stream=out, clock=lambda: now[0]) as progress:
        progress.strategy_started("rag", 2, 3)
        for done in range(5):
            progress("answering", done, 4)
            now[0] += 6
        progress.strategy_finished("rag", "0.5")
    assert out.getvalue().splitlines() == [
        "rag (2 of 3) | answering 0/4",
        "rag (2 of 3) | answering 2/4 | about 12 s left",
        "rag (2 of 3) | answering 4/4 | 24 s",
        "rag: 0.5",
    ]


def test_progress_on_a_terminal_and_when_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for quiet, shown in ((False, True), (True, False)):
        out = Terminal()
        with ProgressLine(stream=out, quiet=quiet) as progress:
            progress.strategy_started("[rag]", 1, 1)
            progress("answering", 1, 2)
            progress.strategy_finished("[rag]", "done")
        assert ("[rag]: done" in out.getvalue()) is shown


@pytest.mark.parametrize(("value", "text"), [(0.4, "0 s"), (89, "89 s"), (150, "2 min"), (7500, "2 h 5 min")])
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


def test_pairs() -> None:
    assert pairs(["input = q", "target=a=b"], "--column") == {"input": "q", "target": "a=b"}
    with pytest.raises(ConfigurationError):
        pairs(["=x"], "--column")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--base-model-shutdown", "2001-01-01"], "base_model_shutdown is 2001-01-01, which has passed"),
        (["--base-model-shutdown", "soon"], "--base-model-shutdown: input should be a valid date"),
        (
            ["--requests-per-month", "20..10"],
            "--requests-per-month: '20..10' is neither a number from 0 to 1e15 nor a range",
        ),
        (["--usd-per-label", "-1"], "--usd-per-label: '-1' is neither"),
        (["--engineering-hours", "inf"], "--engineering-hours: 'inf' is neither"),
        (["--batch-discount", "1"], "--batch-discount: input should be less than 1"),
        (["--unmerged-slowdown", "0.5"], "--unmerged-slowdown: input should be greater than or equal to 1"),
        (["--hosting-usd-per-hour", "nan"], "--hosting-usd-per-hour"),
        (["--confidence", "0.3"], "--confidence: input should be greater than 0.5"),
    ],
)
def test_contradictory_economics_are_one_sentence(mine: list[str], advise: Advise, flags: list[str], says: str) -> None:
    refused(advise(*mine, *flags, "--dry-run"), 2, says)


def test_prices_by_the_hour_and_by_the_token_are_refused(mine: list[str], advise: Advise, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("economics: {prices: {usd_per_hour: 1, usd_per_1m_input_tokens: 2}}\n")
    refused(advise(*mine, "--config", "c.yaml", "--dry-run"), 2, "contradict each other")
