"""Runs every shipped and every public set with the embedded model and writes docs/results.md and the cards' scores.

    python benchmarks/results.py                    all sets, an hour or two on 2 cores; resumes where it stopped
    python benchmarks/results.py svamp covidqa      some of them
    python benchmarks/results.py --quick            without the slow hybrids, as `advisor compare` does by itself
    python benchmarks/results.py --table            only write the table from what is stored

All strategies that apply are run, the hybrids included, but with --quick. Public data are read from
../shared/datasets or ADVISOR_DATA_MIRROR; nothing in the table is typed by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MIRROR = Path(os.environ.get("ADVISOR_DATA_MIRROR", "../shared/datasets"))
KEPT = ROOT / "benchmarks" / "results"
SHIPPED = ("harrow_routing", "harrow_answers", "harrow_records", "harrow_voice", "harrow_tools", "harrow_desk")
WITH_CODE = ("svamp",)
"""Sets that bring tools; we have read them."""
PUBLIC = ("snips_slots", "banking77", "sms_spam", "bible_plain", "svamp", "covidqa", "bfcl_single")
SETS = (*SHIPPED, *PUBLIC)
LIMITS = ("--train-limit", "150", "--limit", "100", "--seeds", "2", "--checks", "none")


def main() -> None:
    """Run what is asked for, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    KEPT.mkdir(exist_ok=True)
    for name in () if options.table else options.sets:
        run(command(name, options.quick), name)
    found = {name: json.loads(path.read_text()) for name in SETS if (path := KEPT / f"{name}.json").exists()}
    (ROOT / "docs" / "results.md").write_text(page(found), encoding="utf-8")
    for name in SHIPPED:
        if name in found:
            write_card(ROOT / "evalsets" / "data" / name / "README.md", found[name])


def command(name: str, quick: bool) -> list[str]:
    """Return the command of one set."""
    evalset = name if name in SHIPPED else f"../shared/datasets/{name}"
    code = ("--trust-code",) if name in WITH_CODE else ()
    return ["advisor", "compare", evalset, *LIMITS, *(() if quick else ("--strategy", "all")), *code]


def run(words: list[str], name: str) -> None:
    """Compare on one set and keep the summary that the table needs."""
    full = KEPT / f"{name}.full.json"
    place = [str(MIRROR / name) if word.endswith(f"/{name}") else word for word in words]
    subprocess.run(
        [sys.executable, "-m", *place, "--quiet", "-o", str(full)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    report = json.loads(full.read_text(encoding="utf-8"))
    full.unlink()
    kept = {key: report[key] for key in ("evalset", "metric", "model", "n_train", "n_dev", "n_test", "pivot")}
    kept["command"] = shlex.join(words)
    kept |= {key: report[key] for key in ("strategies", "differences", "verdict", "skipped", "environment")}
    (KEPT / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(f"{name}: {report['verdict']['headline']}", flush=True)


def write_card(card: Path, one: dict[str, Any]) -> None:
    """Put the scores between the two marks of an eval set's card."""
    before, opens, rest = card.read_text(encoding="utf-8").partition("<!-- scores -->\n")
    _, closes, after = rest.partition("<!-- end of scores -->\n")
    if not closes:
        raise SystemExit(f"{card} has no place for scores: put <!-- scores --> and <!-- end of scores --> into it")
    scores = "\n".join(["", f"`{one['command']}`", "", *_table(one)])
    card.write_text(f"{before}{opens}{scores}{closes}{after}", encoding="utf-8")


def page(found: dict[str, Any]) -> str:
    """Return docs/results.md."""
    waiting = [f"`{name}`" for name in SETS if name not in found]
    winners = [_summary_row(name, one) for name, one in found.items()]
    parts = [
        "# What came out on real and on shipped data",
        "",
        f"Strategies on {len(found)} eval sets, with the embedded model (SmolLM2-135M-Instruct, 4-bit "
        "weights, multiplied in bf16 on this processor): 150 training and 100 test examples, 2 training seeds. Printed "
        "as it came out, by `python benchmarks/results.py`. With 100 test examples only differences of 12 points and "
        "more can be expected to show (see [reading a verdict](reading-a-verdict.md)); read the intervals.",
        "",
        "All strategies that apply were run, the slow hybrids included where the command above the table says "
        "`--strategy all`. The sets whose names begin with `harrow` are shipped and were written for this project by a "
        "language model; the others are public data. Other work shared the 2 cores while most of these ran, so seconds "
        "are upper figures; scores are not touched "
        "by that." + (f" Not run yet: {', '.join(waiting)}." if waiting else ""),
        "",
        f"Machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores. Seed 0. "
        f"Table written {datetime.now(UTC):%Y-%m-%d}; versions and date of each run stand under its table.",
        "",
        *_older(found),
        "`bfcl_single`, where it stands, trains on half of a test-only benchmark: its score is no BFCL score.",
        "",
        "| set | metric | best | score | best tuned | score | tuned minus best other [95 % simultaneous] | verdict |",
        "|---|---|---|---|---|---|---|---|",
        *winners,
        "",
    ]
    for name, one in found.items():
        parts += _section(name, one)
    return "\n".join(parts).rstrip() + "\n"


def _older(found: dict[str, Any]) -> list[str]:
    """Say which tables were made before the optimised prompt and the checks that ask again existed."""
    names = [f"`{name}`" for name, one in found.items() if not any(_searched(s) for s in one["strategies"])]
    if not names:
        return []
    return [
        f"Made before `optimised_prompt` and the checks that ask again were there: {', '.join(names)}. Their scores "
        "stand; a verdict would today be held to that baseline and to those checks too.",
        "",
    ]


def _searched(strategy: dict[str, Any]) -> bool:
    return bool(strategy["label"].startswith("optimised_prompt"))


def _summary_row(name: str, one: dict[str, Any]) -> str:
    scored = sorted((s for s in one["strategies"] if s["quality"]), key=lambda s: -s["quality"]["estimate"])
    best, tuned = scored[0], next((s for s in scored if s["tuned"]), None)
    other = next((s for s in scored if not s["tuned"]), None)
    lead = "–"
    for difference in one["differences"] if tuned and other else ():
        if (difference["a"], difference["b"]) == (tuned["label"], other["label"]):
            interval = difference["simultaneous"]
            lead = f"{100 * interval['estimate']:+.1f} [{100 * interval['low']:+.1f}, {100 * interval['high']:+.1f}]"
    cells = [f"[{name}](#{name})", one["metric"], f"`{best['label']}`", _score(best)]
    cells += [f"`{tuned['label']}`" if tuned else "–", _score(tuned) if tuned else "–", lead]
    return f"| {' | '.join([*cells, '`' + one['verdict']['answer'] + '`'])} |"


def _section(name: str, one: dict[str, Any]) -> list[str]:
    return [f"## {name}", "", "```bash", one["command"], "```", "", *_table(one)]


def _table(one: dict[str, Any]) -> list[str]:
    rows = sorted(one["strategies"], key=lambda s: -(s["quality"]["estimate"] if s["quality"] else -1))
    environment = one["environment"]
    versions = [f"{key.removesuffix(' version')} {value}" for key, value in environment.items() if "version" in key]
    sizes = f"{one['n_train']} training, {one['n_dev']} dev, {one['n_test']} test examples"
    return [
        f"{sizes}; {environment['date']}; {', '.join(versions)}.",
        "",
        f"> {one['verdict']['headline']}",
        "",
        f"| strategy | {one['metric']} [95 %] | n | seeds | seconds to fit | chosen on dev |",
        "|---|---|---|---|---|---|",
        *(_row(strategy) for strategy in rows),
        "",
        *(f"Not run: `{spec}` ({why})." for spec, why in one["skipped"].items()),
        "",
    ]


def _row(strategy: dict[str, Any]) -> str:
    counts = f"{strategy['n']} | {len(strategy['seeds'])} | {strategy['fit']['seconds']:.0f}"
    return f"| `{strategy['label']}` | {_score(strategy)} | {counts} | {_chosen(strategy)} |"


def _score(strategy: dict[str, Any]) -> str:
    quality = strategy["quality"]
    return f"{quality['estimate']:.3f} [{quality['low']:.3f}, {quality['high']:.3f}]" if quality else "–"


def _chosen(strategy: dict[str, Any]) -> str:
    found = strategy["selection"]
    keys = ("prompt", "calls") if "prompt" in found else (key for key in found if key != "dev_examples")
    shown = {key: found[key] for key in keys if isinstance(found[key], str | int | float)}
    said = " ".join(", ".join(f"{key} {value}" for key, value in shown.items()).replace("|", "\\|").split())
    return textwrap.shorten(said, 120, placeholder=" …") or "–"


if __name__ == "__main__":
    main()
