"""A key is taken out of texts, never out of JSON: whatever it is, figures stay, and what was written can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from advisor._util.redaction import BLOT, SHORTEST, Secrets
from advisor.core.shipped import shipped
from advisor.core.statement import say
from advisor.core.types import Outcome, Run, Usage
from advisor.decision.comparison import Comparison
from advisor.models.endpoint.client import Key
from advisor.runs.store import Store
from tests.faults.sheet import trials
from tests.reports.sample import comparison

FIGURES = (1 / 3, 12345678.0, 0.1 + 0.2, 2e-12, float("inf"))


@pytest.fixture(scope="module")
def sample() -> Comparison:
    return comparison("not_yet")


def texts_and_numbers(plain: Any) -> Iterator[str | float]:
    """Yield every text and every number of JSON; names only where they are data."""
    if isinstance(plain, dict):
        for name, inner in plain.items():
            if name.startswith("data-"):
                yield name
            yield from texts_and_numbers(inner)
    elif isinstance(plain, list):
        for inner in plain:
            yield from texts_and_numbers(inner)
    elif isinstance(plain, str) or (isinstance(plain, int | float) and not isinstance(plain, bool)):
        yield plain


def holding(secret: str, figure: float) -> Outcome:
    trace = {f"data-{secret}": [f"x{secret}", {"n": figure}], "n": 12345678}
    used = Usage(input_tokens=12345678, output_tokens=33333333, calls=1, seconds=figure, latency_seconds=figure)
    return Outcome("e1", f"it is {secret}!", figure, usage=used, trace=trace)


@cache
def comparison_run() -> Run:
    return replace(comparison("not_yet").runs[0], id="1" * 16, outcomes=(), summaries={})


secrets = st.one_of(
    st.text("0123456789", min_size=SHORTEST, max_size=14),
    st.sampled_from(["33333333", "333333333333", "12345678", "00000000", "30000000", "Infinity"]),
    st.text(st.characters(exclude_categories=["Cs"], min_codepoint=33), min_size=SHORTEST, max_size=20),
    st.sampled_from(['quote"quote', "back\\slash\\n", "žluťoučký kůň", "\U0001f511\U0001f511 is the key", "{[,:]}{["]),
)


@given(secret=secrets, figure=st.sampled_from(FIGURES))
@example(secret="333333333333", figure=1 / 3)
@settings(max_examples=trials(25, 2000))
def test_any_secret_leaves_texts_and_no_figure_of_the_store(
    tmp_path_factory: pytest.TempPathFactory, secret: str, figure: float
) -> None:
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    outcome = holding(secret, figure)
    header = replace(comparison_run(), strategy=f"mine({secret})", params={"k": 33333333, f"data-{secret}": secret})
    with pytest.MonkeyPatch.context() as patch, Store(path) as store:
        plain = {"text": f"so {secret}", "usage": {"input_tokens": 12345678, "seconds": figure}, "finish": "stop"}
        wanted = numbers_of(store, outcome, header, plain)
        patch.setenv("ADVISOR_PASSWORD", secret)
        keep(store, outcome, header, plain)
        found = [json.loads(text) for [text] in rows(store)]
        parts = [one for plain in found for one in texts_and_numbers(plain)]
        assert [one for one in parts if not isinstance(one, str)] == wanted
        assert not any(secret in one for one in parts if isinstance(one, str))
        assert sum(BLOT in one for one in parts if isinstance(one, str)) >= 5
        assert store.outcomes("1" * 16)["e1"].score == figure
        assert store.run("1" * 16) is not None
        assert "input_tokens" in store.completions(["k"])["k"]["usage"]


def keep(store: Store, outcome: Outcome, header: Run, plain: dict[str, Any]) -> None:
    store.add_outcomes("1" * 16, [outcome])
    store.add_run(header)
    store.add_completions({"k": plain})


def rows(store: Store) -> list[tuple[str]]:
    found: list[tuple[str]] = []
    for table in ("outcomes", "runs", "completions"):
        found += store._database.read(f"SELECT value FROM {table}")
    return found


def numbers_of(store: Store, outcome: Outcome, header: Run, plain: dict[str, Any]) -> list[str | float]:
    """Return the figures that the store holds of them, where there is no secret; then forget them."""
    keep(store, outcome, header, plain)
    found = [one for [text] in rows(store) for one in texts_and_numbers(json.loads(text))]
    for table in ("outcomes", "runs", "completions"):
        store._database.read(f"DELETE FROM {table}")
    return [one for one in found if not isinstance(one, str)]


@pytest.mark.parametrize(
    "secret", ["333333333333", "00000000", "12345678", 'quo"te\\d\n', "fine_tuning", "žluťoučký kůň"]
)
def test_reports_keep_their_figures(
    sample: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    run = replace(sample.runs[0], outcomes=tuple(holding(secret, figure) for figure in FIGURES[:4]))
    marked = replace(sample, runs=(run, *sample.runs[1:]), notes=(*sample.notes, f"noted {secret}"))
    marked.save(tmp_path / "before.json")
    monkeypatch.setenv("ADVISOR_PASSWORD", secret)
    for form in ("json", "csv", "md"):
        marked.save(tmp_path / f"after.{form}")
    before, after = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("before", "after"))
    pairs = list(zip(texts_and_numbers(before), texts_and_numbers(after), strict=True))
    assert all(one == other for one, other in pairs if not isinstance(one, str))
    assert not any(secret in one for _, one in pairs if isinstance(one, str))
    assert any(BLOT in one for _, one in pairs if isinstance(one, str))
    rows = (tmp_path / "after.csv").read_text(encoding="utf-8").splitlines()
    assert repr(1 / 3) in rows[1]
    assert f"it is {secret}" not in "\n".join(rows)
    if not secret.isdigit():
        assert secret not in (tmp_path / "after.md").read_text(encoding="utf-8")


def test_data_reports_keep_their_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from advisor.core.data_check import DataReport

    monkeypatch.setenv("ADVISOR_PASSWORD", "12345678")
    found = DataReport("set 12345678", "mine", {"train": 12345678}, ())
    shipped("reports.data_report").save(found, str(tmp_path / "a.json"))
    plain = json.loads((tmp_path / "a.json").read_text())
    assert (plain["evalset"], plain["counts"]) == ("set ***", {"train": 12345678})


def test_what_a_server_echoes_is_taken_out_of_texts() -> None:
    hidden = Key("33333333").hide_in_answer(holding("33333333", 1 / 3))
    assert hidden.output == "it is ***!"
    assert (hidden.score, hidden.usage.output_tokens) == (1 / 3, 33333333)


def test_words_of_this_program_are_no_secrets() -> None:
    known = Secrets.of(["usd_per_hour", "pricing.around_the_clock"])
    said = say("pricing.around_the_clock", usd_per_hour=0.1, name="usd_per_hour")
    assert known.hide_in(said) == say("pricing.around_the_clock", usd_per_hour=0.1, name=BLOT)
