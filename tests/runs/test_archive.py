"""A comparison as one file: it comes back whole on another machine, and a hostile file does nothing."""

from __future__ import annotations

import hashlib
import json
import math
import resource
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.core.errors import ConfigurationError
from advisor.core.statement import say
from advisor.core.types import Interval, Outcome, Outcomes
from advisor.decision.comparison import Comparison
from advisor.runs import archive, compare
from advisor.runs.imported import marked
from advisor.runs.store import Store
from advisor.runs.stored import adapter, text_of
from tests.small_comparison import write_evalset


@pytest.fixture
def made(tmp_path: Path) -> Comparison:
    (tmp_path / "answers.py").write_text("def answer(request): return 'billing'\n")
    model = f"scripted:{tmp_path / 'answers.py'}:answer"
    folder = write_evalset(tmp_path / "small")
    return compare.compare(folder, strategies=["majority", "zero_shot"], model=model, checks="none", draws=200)


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


def test_there_and_back(made: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.zip"
    assert CliRunner().invoke(app, ["export", "run", made.id[:8], "-o", str(file)]).exit_code == 0
    elsewhere(monkeypatch, tmp_path)
    done = CliRunner().invoke(app, ["import", str(file)])
    assert done.exit_code == 0, done.output
    assert f"advisor report {made.id}" in done.output
    with Store() as store:
        assert store.load_comparison() == marked(made)
        for run in made.runs:
            assert store.outcomes(run.id) == {outcome.example_id: outcome for outcome in run.outcomes}
    again = compare.compare(
        tmp_path / "small",
        strategies=["majority", "zero_shot"],
        model=f"scripted:{tmp_path / 'answers.py'}:answer",
        checks="none",
        draws=200,
    )
    assert again.runs == marked(made).runs
    with Store() as store:
        assert store.unanswered(run.id for run in made.runs) == 0
        assert sqlite3.connect(store.path).execute("SELECT COUNT(*) FROM attempts").fetchone() == (0,)


def test_what_is_here_already_stays(made: Comparison, tmp_path: Path) -> None:
    archive.write(made, tmp_path / "run.zip")
    with Store() as store:
        before = store.comparisons()
        store.take_in(marked(archive.read(tmp_path / "run.zip")))
        assert store.comparisons() == before
        assert store.load_comparison() == made


def test_an_export_says_where_it_cannot_be_written(made: Comparison, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", "run", "-o", str(tmp_path / "no" / "folder.zip")])
    assert done.exit_code == 1
    assert "cannot be written" in done.output
    assert list(tmp_path.glob("**/.*")) == []


def pack(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def honest(content: bytes, **changed: object) -> dict[str, bytes]:
    manifest = {"format": archive.FORMAT, "version": 4, "sha256": hashlib.sha256(content).hexdigest()}
    return {archive.MANIFEST: json.dumps(manifest | changed).encode(), archive.CONTENT: content}


ENDLESS = say("reason.value", usd=Interval(0.003, 0.002, float("inf")), lead=None, once=True)


def now(answers: bytes, counts: object) -> dict[str, bytes]:
    """A file of the present format; its answers are not those of any comparison."""
    return {**honest(b"{}", version=archive.VERSION, answers=counts), archive.ANSWERS: answers}


def mixed(count: int) -> bytes:
    return b"[" + b",".join(b"%d" % (at * 7919 % 99991) for at in range(count))


HOSTILE: dict[str, Callable[[], dict[str, bytes]]] = {
    "no zip": dict,
    "a path out": lambda: {**honest(b"{}"), "../../outside": b"x"},
    "an absolute path": lambda: {**honest(b"{}"), "/tmp/outside": b"x"},
    "other names": lambda: {"a": b"", "b": b""},
    "no manifest": lambda: {archive.MANIFEST: b"[]", archive.CONTENT: b"{}"},
    "half a manifest": lambda: {archive.MANIFEST: b'{"format', archive.CONTENT: b"{}"},
    "newer": lambda: honest(b"{}", version=archive.VERSION + 1),
    "changed": lambda: honest(b"{}", sha256="0" * 64),
    "empty": lambda: honest(b"{}"),
    "deep": lambda: honest(b"[" * 200_000),
    "a bomb": lambda: honest(b"[" + b"[]," * 20_000_000),
    "a huge bomb": lambda: honest(b" " * 150_000_000),
    "many values": lambda: honest(mixed(110_000)),
    "not a number": lambda: honest(b'{"id": NaN}'),
    "answers without a comparison": lambda: now(b"{}\n", [[1, ""]]),
    "answers that do not end": lambda: now(b"[" * 10_000, [[1, ""]]),
    "a bomb of answers": lambda: now(b"\n" * 150_000_000, [[150_000_000, ""]]),
    "binary": lambda: honest(bytes(range(256)) * 100),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_one_sentence(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_VALUES", 100_000)
    file = tmp_path / "in" / "hostile.zip"
    file.parent.mkdir()
    pack(file, HOSTILE[kind]())
    if kind == "no zip":
        file.write_bytes(b"PK\x03\x04 and nothing of the kind")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        archive.read(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 * 1024
    assert sorted(path.name for path in tmp_path.rglob("*") if "home" not in str(path)) == ["hostile.zip", "in"]


def test_ids_that_are_not_ours_are_refused(made: Comparison, tmp_path: Path) -> None:
    from pydantic import TypeAdapter

    plain = TypeAdapter(Comparison).dump_python(made, mode="json")
    pack(tmp_path / "f.zip", honest(json.dumps({**plain, "id": "../../etc"}).encode()))
    with pytest.raises(ConfigurationError, match="ids in it are not ours"):
        archive.read(tmp_path / "f.zip")


def test_what_no_version_says_is_refused(made: Comparison, tmp_path: Path) -> None:
    from pydantic import TypeAdapter

    plain = TypeAdapter(Comparison).dump_python(made, mode="json")
    plain["verdict"]["conclusion"] = {"key": "unheard_of", "values": {}}
    pack(tmp_path / "f.zip", honest(json.dumps(plain).encode()))
    with pytest.raises(ConfigurationError, match="cannot be put into words"):
        archive.read(tmp_path / "f.zip")


def test_figures_without_a_limit_come_back(made: Comparison, tmp_path: Path) -> None:
    endless = replace(made, verdict=replace(made.verdict, grounds=(ENDLESS,)))
    archive.write(endless, tmp_path / "f.zip")
    assert archive.read(tmp_path / "f.zip") == endless


def test_every_cut_is_refused(made: Comparison, tmp_path: Path) -> None:
    archive.write(made, tmp_path / "whole.zip")
    whole = (tmp_path / "whole.zip").read_bytes()
    for end in range(0, len(whole), max(1, len(whole) // 60)):
        (tmp_path / "cut.zip").write_bytes(whole[:end])
        with pytest.raises(ConfigurationError):
            archive.read(tmp_path / "cut.zip")


@pytest.mark.parametrize("odd", [math.inf, -math.inf, -0.0, 1e308, 5e-324, 10**400, True, ""], ids=repr)
def test_odd_figures_come_back_as_they_were(odd: float | str, made: Comparison, tmp_path: Path) -> None:
    """Wherever they stand: in a field, in a statement, and where anything may stand."""
    number = odd if isinstance(odd, float) else 0.5
    verdict = replace(made.verdict, conclusion=say("reason.lead", figure=odd, bounds=(number, math.inf)))
    runs = tuple(replace(run, selection={"odd": odd, "deep": [{"odd": number}]}) for run in made.runs)
    written = replace(made, verdict=verdict, runs=runs, notes=(*made.notes, "\ud800 \x00 \u2028"))
    text = text_of(Comparison, written)
    again = adapter(Comparison).validate_python(json.loads(text))
    assert text_of(Comparison, again) == text
    assert again.verdict.conclusion.values["bounds"] == (number, math.inf)
    assert again.runs[0].selection == runs[0].selection
    assert repr(again.runs[0].selection["odd"]) == repr(odd)


def test_a_comparison_with_an_infinite_bound_is_exported_and_imported(made: Comparison, tmp_path: Path) -> None:
    point = say("turn.value", at=0.5, above=True, yours=(0.1, math.inf))
    written = replace(made, verdict=replace(made.verdict, turning_points=(point,)))
    archive.write(written, tmp_path / "run.zip")
    assert archive.read(tmp_path / "run.zip").verdict.turning_points == (point,)


def taken_apart(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as found:
        return {name: found.read(name) for name in found.namelist()}


def forged(file: Path, change: Callable[[list[dict[str, object]]], object]) -> None:
    """Change the answers of a file, and let its manifest say that this is right."""
    parts = taken_apart(file)
    manifest, rows, digests = json.loads(parts[archive.MANIFEST]), parts[archive.ANSWERS].splitlines(), []
    for count, _ in manifest["answers"]:
        own = [json.loads(row) for row in rows[:count]]
        change(own)
        text = b"".join(json.dumps(one).encode() + b"\n" for one in own)
        digests.append((text, [len(own), hashlib.sha256(text).hexdigest()]))
        rows = rows[count:]
    manifest["answers"] = [listed for _, listed in digests]
    pack(
        file,
        {**parts, archive.MANIFEST: json.dumps(manifest).encode(), archive.ANSWERS: b"".join(t for t, _ in digests)},
    )


IMPOSSIBLE: dict[str, Callable[[list[dict[str, object]]], object]] = {
    "a score of": lambda answers: answers[0].update(score=1.5),
    "a score": lambda answers: answers[0].update(score=-0.1),
    "score of inf": lambda answers: answers[0].update(score=math.inf),
    "twice": lambda answers: answers.append(answers[0]),
    "a usage": lambda answers: answers[0].update(usage={"input_tokens": -5}),
    "a usage that": lambda answers: answers[0].update(usage={"seconds": math.inf}),
    "usage that cannot": lambda answers: answers[0].update(usage={"calls": 10**400}),
}


@pytest.mark.parametrize("why", IMPOSSIBLE)
def test_figures_that_cannot_be_are_refused(why: str, made: Comparison, tmp_path: Path) -> None:
    archive.write(made, tmp_path / "f.zip")
    forged(tmp_path / "f.zip", IMPOSSIBLE[why])
    with pytest.raises(ConfigurationError, match=f"cannot be imported: .*{why}"):
        archive.read(tmp_path / "f.zip")


@pytest.mark.parametrize("change", [lambda rows: rows[:-1], lambda rows: [*rows, rows[0]], lambda rows: rows[::-1]])
def test_answers_that_were_changed_are_refused(
    change: Callable[[list[bytes]], list[bytes]], made: Comparison, tmp_path: Path
) -> None:
    archive.write(made, tmp_path / "f.zip")
    parts = taken_apart(tmp_path / "f.zip")
    rows = change(parts[archive.ANSWERS].splitlines(keepends=True))
    pack(tmp_path / "f.zip", {**parts, archive.ANSWERS: b"".join(rows)})
    with pytest.raises(ConfigurationError, match=r"changed or damaged|ends within|more answers"):
        archive.read(tmp_path / "f.zip")


def test_the_format_of_before_is_read_with_bounds_that_had_become_null(made: Comparison, tmp_path: Path) -> None:
    endless = replace(made, verdict=replace(made.verdict, grounds=(ENDLESS,)))
    pack(tmp_path / "f.zip", honest(text_of(Comparison, endless).replace("Infinity", "null").encode()))
    assert archive.read(tmp_path / "f.zip") == endless


def test_answers_that_pack_like_a_bomb_go_through(
    made: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_ANYWAY", 1_000_000)
    many = Outcomes(Outcome(f"e{at}", "billing " * 10_000, 1.0) for at in range(50))
    large = replace(made, runs=(replace(made.runs[0], outcomes=many),))
    archive.write(large, tmp_path / "f.zip")
    assert archive.read(tmp_path / "f.zip") == large
    assert (tmp_path / "f.zip").stat().st_size > 4_000_000  # stored, not compressed
