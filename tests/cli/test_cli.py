"""The command line as a user meets it: a process, its output, its exit code."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from advisor.cli import app
from advisor.cli.common import pairs
from advisor.cli.compare import settle
from advisor.cli.progress import ProgressLine, seconds
from advisor.core.errors import ConfigurationError
from advisor.core.shipped import load_evalset
from advisor.decision.request import CompareOptions
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from advisor.runs.comparison_file import options_of, read_comparison
from advisor.testing.check_strategy import check_strategy
from advisor.testing.toy_task import toy_evalset

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "openai", "chromadb", "pandas", "numpy", "scipy", "sklearn", "altair")

Result = subprocess.CompletedProcess[str]
Advise = Callable[..., Result]


@pytest.fixture
def advise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Advise:
    """``advisor ...`` in an empty folder, with a home of its own; in this process, which is quicker."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Result:
        own = {"ADVISOR_HOME": str(tmp_path / "home"), "COLUMNS": "100", "NO_COLOR": "1"}
        done = CliRunner().invoke(app, arguments, env={**own, **(environment or {})}, catch_exceptions=False)
        return Result(arguments, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Advise:
    """The same in a process of its own."""

    def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Result:
        own = {"PYTHONPATH": str(ROOT), "ADVISOR_HOME": str(tmp_path / "home"), **(environment or {})}
        command = [sys.executable, "-m", "advisor", *arguments]
        return subprocess.run(command, cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True)

    return run


@pytest.fixture
def mine(advise: Advise, tmp_path: Path) -> list[str]:
    """An eval set, a strategy and a model of one's own: what ``advisor compare`` is told to use them."""
    advise("init", "evalset", "mine")
    (tmp_path / "answers.py").write_text("def answer(request):\n    return 'billing'\n")
    (tmp_path / "mine.py").write_text(FIRST_WORDS)
    return ["compare", "mine", "--model", "scripted:answers.py:answer"]


def refused(done: Result, code: int, *says: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for text in says:
        assert text in done.stderr


# --- help ------------------------------------------------------------------------------------------------------------


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
    assert flags
    for name, variable in flags.items():
        assert str(variable) == f"ADVISOR_{name.upper()}"


def test_version_and_no_arguments(advise: Advise) -> None:
    assert advise("--version").stdout.strip().startswith("tuneworthy 0.")
    assert "compare" in advise().stdout + advise().stderr


# --- options ---------------------------------------------------------------------------------------------------------


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
    assert options.seeds == CompareOptions().seeds


def test_no_options_are_the_defaults() -> None:
    assert settle({}) == (CompareOptions(), ())
    assert settle({})[0].economics == Economics()


def test_every_plain_flag_arrives() -> None:
    given = {
        "evalset": "e", "model": "m", "strategy": ["a", "b"], "column": ["input=q"], "seeds": 3, "limit": 4,
        "train_limit": 5, "seed": 6, "jobs": 7, "budget": 8.0, "offline": True, "output": ["r.md"],
    }  # fmt: skip
    options, outputs = settle(given)
    expected = CompareOptions(
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


# --- the main job ----------------------------------------------------------------------------------------------------

FIRST_WORDS = """
class FirstWords:
    name = "first_words"
    stochastic = False
    def fit(self, train, ctx): self.known = {str(example.input)[:6]: example.target for example in train}
    def predict(self, inputs): return [self.known.get(str(asked)[:6], "") for asked in inputs]
"""
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


# --- list, init, doctor ----------------------------------------------------------------------------------------------


def test_list(advise: Advise) -> None:
    everything = json.loads(advise("list", "--json").stdout)
    assert {"strategies", "models", "metrics", "evalsets", "readers", "reports"} == set(everything)
    assert all(row["description"] for rows in everything.values() for row in rows)
    readable = advise("list", "strategies")
    assert readable.stdout.splitlines()[0].startswith("copy_input  ")
    assert "metrics:" in advise("list").stdout
    assert {"smollm2", "openai:NAME", "http://host/v1#NAME"} <= {row["name"] for row in everything["models"]}
    assert advise("list", "runs").stdout.strip() == "(none)"
    assert advise("list", "strategy").returncode == 2


def test_init_strategy_works_as_it_is(advise: Advise, tmp_path: Path) -> None:
    done = advise("init", "strategy", "my strategies/3rd try.py")
    assert done.stdout.splitlines()[-1].startswith("  advisor compare --strategy 'my strategies/3rd try.py':My3rdTry")
    check_strategy(f"{tmp_path}/my strategies/3rd try.py:My3rdTry(k=2)").raise_for_failures()


def test_init_evalset_works_as_it_is(advise: Advise, tmp_path: Path) -> None:
    done = advise("init", "evalset", "My Set")
    assert done.stdout.splitlines()[-1] == "  advisor compare 'My Set'"
    loaded = load_evalset(str(tmp_path / "My Set"))
    toy = toy_evalset()
    assert (loaded.train, loaded.dev, loaded.test, loaded.labels) == (toy.train, toy.dev, toy.test, toy.labels)
    assert loaded.name == "my-set"


def test_init_evalset_from_a_file(advise: Advise, tmp_path: Path) -> None:
    rows = "".join(f"What is {n} plus {n}?,{2 * n}\n" for n in range(60))
    (tmp_path / "sums.csv").write_text("question,answer\n" + rows)
    columns = ["--column", "input=question", "--column", "target=answer"]
    done = advise("init", "evalset", "sums", "--from", "sums.csv", *columns)
    assert done.returncode == 0, done.stderr
    loaded = load_evalset(str(tmp_path / "sums"))
    direct = load_evalset(str(tmp_path / "sums.csv"), columns={"input": "question", "target": "answer"})
    assert (loaded.train, loaded.dev, loaded.test) == (direct.train, direct.dev, direct.test)
    refused(advise("init", "evalset", "other", "--column", "input=question"), 2, "add --from FILE")


def test_init_comparison_is_valid(advise: Advise, tmp_path: Path) -> None:
    assert advise("init", "comparison", "c.yaml", "--evalset", "mine: all").stdout.splitlines()[-1].endswith("c.yaml")
    file = read_comparison(tmp_path / "c.yaml")
    assert file == {"evalset": "mine: all", "model": "smollm2"}, "nothing that was not typed is set"


def test_every_line_that_init_comparison_offers_can_be_taken(advise: Advise, tmp_path: Path) -> None:
    advise("init", "comparison", "c.yaml")
    lines = (tmp_path / "c.yaml").read_text().splitlines()
    offered = [re.sub(r"^( *)# (?=( *)[a-z_0-9]+: )", r"\1", line) for line in lines[4:]]
    (tmp_path / "all.yaml").write_text("\n".join(offered))
    file = read_comparison(tmp_path / "all.yaml")
    assert {"strategies", "limit", "checks", "suite", "learning_curve", "budget_usd"} <= set(file)
    assert options_of(file).economics.tuned_prices.usd_per_1m_training_tokens == 3.0


@pytest.mark.parametrize("what", [["evalset", "x"], ["strategy", "x.py"], ["comparison", "x.yaml"]])
def test_init_overwrites_only_when_told(advise: Advise, tmp_path: Path, what: list[str]) -> None:
    assert advise("init", *what).returncode == 0
    first = tmp_path / what[1] if what[0] != "evalset" else tmp_path / "x" / "train.jsonl"
    first.write_text("mine")
    refused(advise("init", *what), 2, "exists already and is kept", "--force")
    assert first.read_text() == "mine"
    assert advise("init", *what, "--force").returncode == 0
    assert first.read_text() != "mine"


@pytest.mark.parametrize("what", [["strategy", "x.txt"], ["comparison", "x.json"]])
def test_init_refuses_other_extensions(advise: Advise, what: list[str]) -> None:
    refused(advise("init", *what), 2, what[1], f"advisor init {what[0]} {what[1]}.")


def test_doctor(advise: Advise, tmp_path: Path) -> None:
    findings = {finding["what"]: finding for finding in json.loads(advise("doctor", "--json").stdout)}
    assert {"python", "processor", "memory", "results", "cache", "plug-ins"} <= set(findings)
    assert findings["results"]["state"] == "ok"
    assert str(tmp_path / "home") in findings["results"]["finding"]


def test_doctor_names_a_folder_that_cannot_be_written(advise: Advise, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = advise("doctor", environment={"ADVISOR_HOME": str(tmp_path / "file" / "home")})
    assert done.returncode == 1
    assert "problem" in done.stdout
    assert "export ADVISOR_HOME=" in done.stdout


def test_doctor_says_which_weights_are_missing(advise: Advise, tmp_path: Path) -> None:
    done = advise("doctor", environment={"ADVISOR_CACHE": str(tmp_path / "empty")})
    assert "weights are fetched at first use" in done.stdout
    assert "advisor doctor --fetch" in done.stdout


# --- small parts -----------------------------------------------------------------------------------------------------


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


# --- economics that contradict themselves ----------------------------------------------------------------------------


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
