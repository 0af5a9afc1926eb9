"""The report as one HTML file: no script, no request to anywhere, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.decision.comparison import Comparison
from advisor.stats.summaries import Disagreement

from . import charts, curves, data, guard_list, numbers, prompt_search, recipe_search, retrieval, steps, tornado, view
from .safe import clean, shorten

TEMPLATE = "report.html.jinja"
SHOWN_EXAMPLES, SHOWN_CHARACTERS = 30, 2000


def render(comparison: Comparison) -> str:
    """Return the whole page. Every foreign text in it is escaped, and freed of control and bidirectional characters.

    The page's content security policy forbids scripts and any request, should an escape ever be forgotten.
    """
    return str(environment().get_template(TEMPLATE).render(_content(comparison)))


def environment() -> Any:
    """Return the environment of all pages: sandboxed, escaping, and cleaning every text on its way in."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(label: str) -> Any:
    """Escape a name and let it break after its underscores and before its parameters."""
    from markupsafe import Markup, escape

    parts = clean(label).replace("_", "_\n").replace("(", "\n(").split("\n")
    return Markup("<wbr>").join(escape(part) for part in parts)


def _finalize(value: Any) -> Any:
    """Clean every text on its way into the page; our own drawings (`Markup`) pass."""
    if value is None:
        return numbers.MISSING
    return clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _content(comparison: Comparison) -> dict[str, Any]:
    from markupsafe import Markup

    verdict = comparison.verdict
    command, facts = view.reproduction(comparison)
    step = view.next_step(comparison)
    # The SVGs are the only markup that is not the template's own; vl-convert has escaped the texts in them.
    turning = tornado.tornado(comparison)
    figures = [{"figure": figure, "svg": Markup(figure.svg)} for figure in charts.figures(comparison)]
    return {
        "comparison": comparison,
        "verdict": verdict,
        "answer": view.ANSWERS[verdict.answer],
        "rule": view.RULES.get(verdict.rule, ""),
        "step": step.words,
        "step_command": step.command,
        "checks": guard_list.guard_lines(comparison),
        "subject": view.subject(comparison),
        "rows": view.rows(comparison),
        "level": view.level(comparison),
        "methods": view.methods(comparison),
        "money": view.money_facts(comparison),
        "money_method": view.money_method(comparison),
        "searches": prompt_search.searches(comparison),
        "searches_how": prompt_search.HOW,
        "recipes": recipe_search.trials(comparison),
        "recipes_title": recipe_search.TITLE,
        "recipes_how": recipe_search.HOW,
        "retrieved": retrieval.facts(comparison),
        "retrieved_title": retrieval.TITLE,
        "retrieved_how": retrieval.HOW,
        "figures": figures,
        **curves.content(comparison),
        "tornado": {"figure": turning, "svg": Markup(turning.svg)} if turning else None,
        **steps.content(comparison),
        "slices": view.slices(comparison),
        "examples": [_example(d) for d in comparison.disagreements[:SHOWN_EXAMPLES]],
        "examples_left": numbers.count(max(len(comparison.disagreements) - SHOWN_EXAMPLES, 0)),
        "data": data.section(comparison),
        "failures": view.failures(comparison),
        "assumptions": view.assumptions(comparison),
        "command": command,
        "facts": facts,
        "date": comparison.environment.get("date", ""),
    }


def _example(disagreement: Disagreement) -> Mapping[str, Any]:
    answers = [
        {"label": label, "text": shorten(text, SHOWN_CHARACTERS), "score": numbers.score(score), "tone": _tone(score)}
        for label, (text, score) in disagreement.answers.items()
    ]
    return {
        "id": disagreement.example_id,
        "input": shorten(disagreement.input, SHOWN_CHARACTERS),
        "target": shorten(disagreement.target, SHOWN_CHARACTERS),
        "answers": answers,
    }


def _tone(score: float | None) -> str:
    """Return the word that stands beside the score, and that the style sheet colours."""
    if score is None:
        return "unscored"
    return "right" if score >= 1 else "wrong" if score <= 0 else "partly"
