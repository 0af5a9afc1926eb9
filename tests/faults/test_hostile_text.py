"""T1, T2, T6: what models and strangers write stays text: in a browser, on a terminal, in a spreadsheet."""

from __future__ import annotations

import csv
import io
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor._util.redaction import for_terminal
from advisor.cli.progress import ProgressLine
from advisor.decision.comparison import Comparison
from tests.faults import payloads
from tests.faults.sheet import Sheet, trials
from tests.reports.sample import changed, comparison, report

CHROMIUM = shutil.which("chromium")
FIELDS = (
    "evalset", "model", "metric", "a strategy's name", "id", "question", "target", "answer", "error", "note",
    "headline", "reason",
)  # fmt: skip
"""Where every payload stands on its page, among others."""
ALIVE = (
    "script, img, iframe, object, embed, link, base, form, video, [onerror], [onload], [onfocus], a[href^=javascript]"
)
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


def hostile(payload: str) -> Comparison:
    """Return the sample with a payload in every text of a stranger, names of strategies and of the set included."""
    base = comparison("not_yet", payload)
    labelled = tuple(
        replace(one, label=f"{one.label}{payload}" if one.label == "my_rules" else one.label) for one in base.strategies
    )
    named = changed(base, strategies=labelled, evalset=payload, model=f"m{payload}", metric=f"x{payload}")
    return replace(named, environment={"command": payload})


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield opened
        opened.close()


def test_no_payload_runs_in_a_browser(browser: Any, tmp_path: Path, sheet: Sheet) -> None:
    """Each page twice: as it is, and with its content security policy off, so that escaping is tested alone."""
    tried, broken, render = payloads.markup(), [], report("html").render
    tried = tried[:: max(1, len(tried) // trials(5, len(tried)))]
    contexts = [browser.new_context(), browser.new_context(bypass_csp=True)]
    for number, payload in enumerate(tried):
        page = tmp_path / f"{number}.html"
        page.write_text(render(hostile(payload)), encoding="utf-8")
        for context in contexts:
            broken += [f"{payload!r}: {found}" for found in seen_in(context, page)]
        page.unlink()
    sheet.add("T1", f"script in the report: payload by {len(FIELDS)} fields, Chromium with and without the policy",
              len(tried) * len(FIELDS), len(broken))  # fmt: skip
    assert not broken, "\n".join(broken)


def test_the_browser_would_tell(browser: Any, tmp_path: Path) -> None:
    """The same payloads, not escaped: the test above can fail."""
    context, found = browser.new_context(bypass_csp=True), []
    for number, payload in enumerate(payloads.markup()[:6]):
        page = tmp_path / f"raw{number}.html"
        page.write_text(f"<meta charset=utf-8><p>{payload}</p>", encoding="utf-8")
        found.append(bool(seen_in(context, page)))
    assert all(found)


def seen_in(context: Any, file: Path) -> list[str]:
    page, found = context.new_page(), list[str]()
    page.on("dialog", lambda dialog: (found.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: request.url != file.as_uri() and found.append(f"request {request.url}"))
    page.goto(file.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true })")
    page.wait_for_timeout(30)
    if count := page.evaluate(f"document.querySelectorAll('{ALIVE}').length"):
        found.append(f"{count} elements came alive")
    page.close()
    return found


def obeyed(text: str) -> set[str]:
    """Return the characters that a terminal would obey."""
    return {mark for mark in text if (unicodedata.category(mark) == "Cc" and mark not in "\n\t") or mark in BIDI}


def test_no_payload_reaches_a_terminal(sheet: Sheet) -> None:
    from rich.console import Console

    tried, broken, console = payloads.terminal(), [], report("console")
    tried = tried[:: max(1, len(tried) // trials(15, len(tried)))]
    for payload in tried:
        out = io.StringIO()
        Console(file=out, width=100, color_system=None, force_terminal=True).print(
            console.render(hostile(payload), 100)
        )
        progress = io.StringIO()
        line = ProgressLine(stream=progress)
        line.strategy_started(payload, 1, 1)
        line(payload, 1, 1)
        line.strategy_finished(payload, payload)
        texts = {"report": out.getvalue(), "progress": progress.getvalue(), "error": for_terminal(payload)}
        broken += [f"{payload!r}: {where}: {obeyed(text)!r}" for where, text in texts.items() if obeyed(text)]
        if "[bold red]" in payload and "[bold red]" not in texts["report"]:
            broken.append(f"{payload!r}: taken for markup")
    sheet.add("T2", "terminal escapes and markup in answers, names, errors", len(tried), len(broken))
    assert not broken, "\n".join(broken)


def test_no_payload_is_a_formula(sheet: Sheet) -> None:
    tried, broken = payloads.formulas(), []
    base = comparison()
    outcomes = [
        replace(base.runs[0].outcomes[0], example_id=payload, output=payload, error=payload) for payload in tried
    ]
    runs = tuple(
        replace(base.runs[0], strategy=payload, model=payload, params={payload: payload}, outcomes=(outcome,))
        for payload, outcome in zip(tried, outcomes, strict=True)
    )
    text = "".join(report("machine").render_csv(replace(base, runs=runs, evalset=tried[0])))
    for row in csv.reader(io.StringIO(text, newline="")):
        broken += [cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "\uff0b"))]
        broken += [cell for cell in row if cell.startswith(("\t", "\r", "\n"))]
    sheet.add("T6", "formulas in CSV, in every column", len(tried), len(broken))
    assert not broken
