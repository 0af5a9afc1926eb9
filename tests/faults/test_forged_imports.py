"""T14: a file for `advisor import` in which anything was changed is refused in one sentence, or shown as imported."""

from __future__ import annotations

import hashlib
import json
import math
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.core.errors import AdvisorError
from advisor.runs import archive, compare
from advisor.runs.imported import marked
from advisor.runs.store import Store
from tests.faults.sheet import Sheet, trials
from tests.small_comparison import write_evalset

ODD: tuple[Any, ...] = (
    *(None, True, "", "\ud800", "x" * 5_000, "<script>alert(1)</script>", "\x1b[2J", "../../etc/passwd"),
    *(-1, 0, 1, 1.5, 1e308, -1e308, 10**30, 10**400, math.inf, -math.inf, math.nan),
    *([], {}, [[]], {"key": "reason.value", "values": {}}, {"estimate": 1.0, "low": None, "high": None}),
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of an honest file; its comparison has a tuned strategy, prices and checks."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVISOR_HOME", str(folder / "home"))
        (folder / "answers.py").write_text("def answer(request): return 'billing'\n")
        made = compare.compare(
            write_evalset(folder / "small"),
            strategies=["majority", "zero_shot", "few_shot"],
            model=f"scripted:{folder / 'answers.py'}:answer",
            draws=200,
        )
        archive.write(made, folder / "run.zip")
    with zipfile.ZipFile(folder / "run.zip") as file:
        return {name: file.read(name) for name in file.namelist()}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where something stands in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for at, one in inner for found in places(one, (*path, at)))]


def changed(value: Any, rng: random.Random) -> Any:
    """Return the value with one place of it overwritten, removed, doubled or renamed."""
    *way, last = rng.choice(places(value)[1:])
    holder = value
    for step in way:
        holder = holder[step]
    match rng.randrange(4):
        case 0:
            del holder[last]
        case 1 if isinstance(holder, list):
            holder.append(holder[last])
        case 2 if isinstance(holder, dict):
            holder[rng.choice(["", "key", "values", "score", "\u202e"])] = holder.pop(last)
        case _:
            holder[last] = rng.choice(ODD)
    return value


def forge(parts: dict[str, bytes], rng: random.Random, path: Path) -> None:
    """Write the file with changes, and a manifest that says all of it is right."""
    content, manifest = json.loads(parts[archive.CONTENT]), json.loads(parts[archive.MANIFEST])
    rows = [json.loads(row) for row in parts[archive.ANSWERS].splitlines()]
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.3:
            rows = changed(rows, rng)
        else:
            content = changed(content, rng)
    lines = [json.dumps(row).encode() + b"\n" for row in rows]
    start = 0
    for listed in manifest["answers"]:
        end = start + listed[0]
        listed[1] = hashlib.sha256(b"".join(lines[start:end])).hexdigest()
        start = end
    text = json.dumps(content).encode()
    manifest["sha256"] = hashlib.sha256(text).hexdigest()
    if rng.random() < 0.1:
        manifest = changed(manifest, rng)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(archive.MANIFEST, json.dumps(manifest))
        file.writestr(archive.CONTENT, text)
        file.writestr(archive.ANSWERS, b"".join(lines))


def test_a_forged_file(parts: dict[str, bytes], sheet: Sheet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, refused, problems = trials(12, 1_000), 0, []
    for number in range(count):
        home, path = tmp_path / f"home-{number}", tmp_path / "forged.zip"
        monkeypatch.setenv("ADVISOR_HOME", str(home))
        forge(parts, random.Random(number), path)
        try:
            found = archive.read(path)
        except AdvisorError as error:
            refused += 1
            if len(str(error).splitlines()) > 2:  # what is wrong, and the line to type
                problems.append(f"{number}: {error}")
            continue
        with Store() as store:
            store.take_in(marked(found))
        out = [str(tmp_path / f"report.{kind}") for kind in ("html", "md", "json", "csv")]
        for words in (["report"], ["report", *(word for one in out for word in ("-o", one))], ["list", "runs"]):
            done = CliRunner().invoke(app, words)
            if done.exit_code and not isinstance(done.exception, SystemExit):
                problems.append(f"{number}, {words[:2]}: {done.exception!r}")
            elif not done.exit_code and len(words) < 3 and "imported" not in done.output:
                problems.append(f"{number}: not marked")
    sheet.add("T14", "forged files for advisor import", count, len(problems), f"{refused} refused")
    assert not problems, problems
