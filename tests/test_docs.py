"""The documentation is true: its code runs, its commands parse, its quoted output is what comes out, its files exist.

A comment in front of a block says what is done with it: ``<!-- file: NAME -->`` is written before the page's code runs,
``<!-- checked: advisor ... -->`` is the output of that command, ``<!-- refused: NAME -->`` is a line that, added to the
file NAME of the page's eval set, gives the error in the next block. Python blocks are all run.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from collections import Counter
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import advisor
from advisor.cli import app, common
from advisor.core import errors, registry
from advisor.core.errors import AdvisorError, EvalSetError
from advisor.core.shipped import load_evalset, shipped
from advisor.decision.comparison import Comparison
from advisor.decision.guards import judge_guards
from advisor.runs.comparison_file import validate_comparison
from tests.decision.planted_evidence import FEW, TUNED, evidence

ROOT = Path(__file__).parents[1]
CARD = "evalsets/data/harrow_desk/README.md"
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    CARD,
    *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
)
FOLDERS = ("advisor", "strategies", "evalsets", "reports", "tests", "docs", "benchmarks")
VERBS = ("compare", "ask", "check", "report", "list", "import", "selftest", "clean", "doctor", "init", "export")

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^ *```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    text = text_of(page)
    return [
        Block(
            page,
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            re.sub(f"^{found['indent']}", "", found["text"], flags=re.M),
            found["mark"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def prose_of(page: str) -> str:
    return re.sub(r"<!--.*?-->", "", _BLOCK.sub("", text_of(page)), flags=re.S)


def cells(page: str, heading: str) -> list[str]:
    """Return the first cells of the first table under a heading, without back-ticks and stars."""
    section = text_of(page).partition(f"\n{heading}\n")[2]
    table = section[section.index("|---") :].partition("\n\n")[0].splitlines()[1:]
    return [re.sub(r"[`*]", "", row.split("|")[1]).strip() for row in table]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
CHECKED = [block for block in BLOCKS if block.mark.startswith("checked: ")]
REFUSED = [(block, said) for block, said in pairwise(BLOCKS) if block.mark.startswith("refused: ")]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and a terminal of 100 columns without colours."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, value in {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    return folder


def write_files(page: str, folder: Path) -> None:
    for block in blocks_of(page):
        if block.mark.startswith("file: "):
            path = folder / block.mark.removeprefix("file: ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def output_of(command: str) -> str:
    done = CliRunner().invoke(app, shlex.split(command)[1:], prog_name="advisor", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def refusal(name: str, added: str, page: str, folder: Path) -> str:
    """Return the error of the page's eval set with a text added to one of its files."""
    write_files(page, folder)
    path = folder / "my-evalset" / name
    if name == "tools.py":
        with (folder / "my-evalset" / "evalset.yaml").open("a", encoding="utf-8") as file:
            file.write("tools: tools.py\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(added)
    with pytest.raises(EvalSetError) as caught:
        load_evalset("my-evalset")
    return f"advisor: {caught.value}"


# --- code and output -------------------------------------------------------------------------------------------------


@pytest.mark.weights
@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs(block: Block, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(block.page, place)
    exec(compile(block.text, str(block), "exec"), {"__name__": "documentation"})


@pytest.mark.parametrize("block", CHECKED, ids=str)
def test_quoted_output_is_what_comes_out(block: Block, place: Path) -> None:
    write_files(block.page, place)
    frames = str.maketrans(dict.fromkeys("─│╭╮╰╯", " "))
    shown = output_of(block.mark.removeprefix("checked: "))
    assert shown.translate(frames).split() == block.text.translate(frames).split()


@pytest.mark.parametrize(("block", "said"), REFUSED, ids=lambda block: str(block))
def test_refusals_are_as_quoted(block: Block, said: Block, place: Path) -> None:
    assert refusal(block.mark.removeprefix("refused: "), block.text, block.page, place) == said.text.strip("\n")


def test_the_two_commands_of_the_first_screen_show_their_output() -> None:
    for command in ("make compare", "make test"):
        shown = text_of("README.md").partition(f"<!-- output: {command} -->")[2].partition("<!-- end of output -->")[0]
        assert "```" in shown, f"paste the real output of `{command}` into README.md"


# --- commands --------------------------------------------------------------------------------------------------------


def commands() -> list[tuple[str, str]]:
    """Every `advisor ...` line: in shell blocks, and in back-ticks within sentences."""
    found = []
    for page in PAGES:
        shell = "\n".join(block.text for block in blocks_of(page) if block.language == "bash").replace("\\\n", " ")
        lines = [line.partition(" #")[0].strip() for line in shell.splitlines()]
        inline = re.findall(r"`(advisor [^`]+)`", " ".join(prose_of(page).split()))
        found += [(page, line) for line in (*lines, *inline) if re.match(r"(\S*/)?advisor [a-z-]", line)]
    return sorted(set(found))


def parse(words: list[str]) -> None:
    """Read a command line as `advisor` would, and run nothing."""
    command, parent = get_command(app), None
    while True:
        try:
            context = command.make_context(command.name, words, parent=parent)
        except typer.Exit:  # --help and --version
            return
        if not hasattr(command, "resolve_command"):
            return
        _, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        parent = context


@pytest.mark.parametrize(("page", "line"), commands(), ids=str)
def test_commands_parse(page: str, line: str) -> None:
    if "|" not in line:  # `init evalset|strategy` lists verbs
        parse(shlex.split(line)[1:])


def test_a_wrong_option_would_be_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse(["compare", "harrow_desk", "--strategie", "rag"])
    with pytest.raises(Exception, match="No such command"):
        parse(["asks"])


def test_options_named_in_sentences_exist() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    every = [one for verb in verbs.values() for one in (verb, *getattr(verb, "commands", {}).values())]
    known = {option for verb in every for parameter in verb.params for option in parameter.opts}
    known |= {"--help", "--version"}
    for page in PAGES:
        named = {span.split()[0] for span in re.findall(r"`(--[a-z][^`]*)`", prose_of(page))}
        assert named <= known, f"{page}: {named - known}"


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_links_and_paths_exist(page: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text_of(page)) if "://" not in link]
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    spans = re.findall(r"`([^`\s]+)`", prose_of(page))
    paths = [span for span in spans if re.match(rf"({'|'.join(FOLDERS)})/", span) and not re.search(r"[*]|NAME", span)]
    missing += [path for path in paths if not (ROOT / path).exists()]
    assert not missing


def test_pages_that_the_code_names_exist() -> None:
    files = [path for folder in FOLDERS[:4] for path in (ROOT / folder).rglob("*.py")]
    named = {(name, path.name) for path in files for name in re.findall(r"docs/[\w.-]+\w", path.read_text("utf-8"))}
    assert not {(name, path) for name, path in named if not (ROOT / name).exists()}


def test_every_page_is_reached_from_the_readme() -> None:
    for page in PAGES[1:]:
        assert page in text_of("README.md"), page


# --- lists are complete ----------------------------------------------------------------------------------------------


def test_lists_of_names_are_complete() -> None:
    strategies = registry.built_in_order("strategies")
    assert cells("docs/first-comparison.md", "## 2. Run the shipped example") == strategies
    metrics = {entry.name for entry in registry.names("metrics") if entry.distribution == registry.OURS}
    assert set(cells("docs/evalset-format.md", "## Metrics")) == metrics
    assert cells("docs/reading-a-verdict.md", "## Checks before a yes") == [
        guard.name for guard in judge_guards(evidence(FEW, TUNED))
    ]
    for name in (*strategies, *metrics):
        assert f"`{name}`" in text_of("CHANGELOG.md"), name
    assert set(get_command(app).commands) == set(VERBS)  # type: ignore[attr-defined]


def test_the_table_says_which_strategies_run_only_when_asked_for() -> None:
    for name in registry.built_in_order("strategies"):
        row = next(line for line in text_of("docs/first-comparison.md").splitlines() if line.startswith(f"| `{name}`"))
        assert ("when asked for" in row) is not getattr(registry.load("strategies", name), "by_default", True), name


def test_keys_of_an_evalset_are_all_explained() -> None:
    shipped("evalsets")
    fields = import_module("advisor.evalsets.configuration").EvalSetFile.model_fields
    explained = ", ".join(cells("docs/evalset-format.md", "## `evalset.yaml`")).split(", ")
    assert sorted(explained) == sorted(field.alias or name for name, field in fields.items())


def test_exit_codes() -> None:
    kinds = [AdvisorError, *(kind for kind in vars(errors).values() if kind in AdvisorError.__subclasses__())]
    codes = {0, common.INTERRUPTED, common.TERMINATED, common.PIPE_CLOSED, common.INCONCLUSIVE, common.GATE_FAILED}
    codes |= {errors.BudgetReached.exit_code}
    codes |= {kind.exit_code for kind in kinds}
    assert {int(cell) for cell in cells("docs/first-comparison.md", "## 7. Keep it, show it, gate on it")} == codes


def test_yaml_blocks_are_accepted() -> None:
    import yaml

    for block in BLOCKS:
        if block.language == "yaml" and not block.mark:
            validate_comparison(yaml.safe_load(block.text), str(block))


def test_the_nearest_neighbour_has_eleven_lines_and_is_the_same_everywhere() -> None:
    first, second = [
        next(block.text for block in blocks_of(page) if block.mark == "file: nearest.py")
        for page in ("README.md", "docs/custom-strategies.md")
    ]
    assert first == second
    assert len(first.splitlines()) == 11


def test_the_nearest_neighbour_keeps_the_contract(place: Path) -> None:
    write_files("README.md", place)
    advisor.check_strategy("nearest.py:Nearest").raise_for_failures()


# --- the shipped eval set --------------------------------------------------------------------------------------------


def test_the_card_counts_what_is_there() -> None:
    evalset, card = load_evalset("harrow_desk"), " ".join(text_of(CARD).split())
    parts = (evalset.train, evalset.dev, evalset.test)
    assert f"| all | | {' | '.join(str(len(part)) for part in parts)} |" in card
    counts = [Counter(str(example.metadata["slice"]) for example in part) for part in parts]
    for name in counts[0]:
        assert re.search(
            rf"\| `{name}` \| [^|]* \| {counts[0][name]} \| {counts[1][name]} \| {counts[2][name]} \|", card
        )
    words = [len(str(example.input).split()) for part in parts for example in part]
    assert f"{min(words)} to {max(words)} words, {sum(words) / len(words):.0f} on average" in card
    mean = sum(len(document.text.split()) for document in evalset.docs) / len(evalset.docs)
    assert f"{len(evalset.docs)} documents, {mean:.0f} words" in card
    orders = json.loads((ROOT / CARD).with_name("orders.json").read_text(encoding="utf-8"))
    assert f"{len(orders)} orders with six fields" in card
    assert {len(order) for order in orders.values()} == {6}
    known = {(example.metadata.get("doc_id"), example.target.lower()) for example in evalset.train}
    asked = [(e.metadata["doc_id"], e.target.lower()) for e in evalset.test if e.metadata["slice"] == "policy"]
    assert f"For {sum(one in known for one in asked)} of the {len(asked)} `policy` questions in test" in card


def test_no_order_stands_in_two_splits() -> None:
    evalset = load_evalset("harrow_desk")
    seen = [
        {
            call["arguments"]["order_id"]
            for e in part
            for call in e.metadata.get("calls", ())
            if "order_id" in call["arguments"]
        }
        for part in (evalset.train, evalset.dev, evalset.test)
    ]
    assert sum(map(len, seen)) == len(set().union(*seen))


# --- the report ------------------------------------------------------------------------------------------------------

BROKEN = """class Broken:
    name = "broken"
    def fit(self, train, ctx): ...
    def predict(self, inputs): return 1 / 0
"""


def tuned_beats_the_rest(folder: Path, economics: advisor.Economics) -> Comparison:
    """Compare on a set on which a model that learns by heart is better than one that always says the same."""
    rows = [
        (f"{word} {number}", label) for number in range(40) for word, label in (("invoice", "bill"), ("van", "ship"))
    ]
    own = folder / "own"
    own.mkdir(exist_ok=True)
    (own / "evalset.yaml").write_text("instruction: Which?\nmetric: label_accuracy\nlabels: [bill, ship]\n")
    for split, more in (("train", ""), ("test", " now")):
        lines = [json.dumps({"input": f"{asked}{more}", "target": label}) for asked, label in rows]
        (own / f"{split}.jsonl").write_text("\n".join(lines))
    (folder / "answers.py").write_text("def answer(request):\n    return 'bill'\n")
    (folder / "broken.py").write_text(BROKEN)
    return advisor.compare(
        "own",
        strategies=["majority", "zero_shot", "fine_tuning", "broken.py:Broken"],
        model="scripted:answers.py:answer",
        seeds=1,
        draws=300,
        economics=economics,
    )


def report_words(comparison: Comparison) -> str:
    """Return the words of the terminal, HTML and Markdown reports, in lower case with single spaces."""
    from rich.console import Console

    shipped("reports")
    screen = Console(file=io.StringIO(), width=100)
    import_module("advisor.reports.console").show(comparison, screen)
    html = re.sub(r"<style>.*?</style>|<[^>]+>", " ", registry.load("reports", "html")(comparison), flags=re.S)
    markdown = registry.load("reports", "md")(comparison).replace("\\", "")
    return " ".join(f"{screen.file.getvalue()} {html} {markdown}".lower().split())  # type: ignore[attr-defined]


def test_the_words_explained_are_those_of_the_report(place: Path) -> None:
    volume = advisor.Economics(requests_per_month=10_000, prices=advisor.Prices(usd_per_hour=0.10))
    value = replace(volume, usd_per_correct_answer=0.1, target_quality=0.8)
    compared = [tuned_beats_the_rest(place, economics) for economics in (value, volume)]
    shown = " ".join(report_words(one) for one in compared)
    told = text_of("docs/reading-a-verdict.md")
    named = [" ".join(words.lower().split()) for words in re.findall(r"\*\*(.+?)\*\*", told, re.S)]
    answers = {"yes, fine-tune", "no, do not fine-tune", "the evidence does not decide yet"}
    assert not [words for words in named if words not in shown and words not in answers]

    view = import_module("advisor.reports.view")
    assert answers == {answer.lower() for answer in view.ANSWERS.values()}
    for fact in (fact for one in compared for fact in view.money_facts(one)):
        assert fact.name.lower() in named, f"docs/reading-a-verdict.md does not explain {fact.name!r}"
