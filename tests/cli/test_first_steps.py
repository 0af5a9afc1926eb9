"""`advisor list`, `init` and `doctor`: what a new user types first."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from advisor.core.shipped import load_evalset
from advisor.runs.comparison_file import options_of, read_comparison
from advisor.testing.check_strategy import check_strategy
from advisor.testing.toy_task import toy_evalset
from tests.cli.command import Advise, refused


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
