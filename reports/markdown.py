"""The report as Markdown for a pull-request comment: the same content without the drawings."""

from __future__ import annotations

from advisor.decision.comparison import Comparison
from advisor.stats.summaries import Disagreement

from . import curves, data, guard_list, numbers, prompt_search, recipe_search, retrieval, steps, view
from .markdown_parts import block, code, folded, table, text

SHOWN_EXAMPLES, LIMIT = 5, 60_000
SIGNS = {"fine_tune": "🟢", "do_not_fine_tune": "🟠", "not_yet": "🔵"}


def render(comparison: Comparison) -> str:
    """Return GitHub-flavoured Markdown that fits into one comment (65,536 characters).

    Foreign text can neither format, link, mention anybody nor leave its table cell.
    """
    verdict = comparison.verdict
    blocks = [
        f"❌ **{text(verdict.gaps)}**" if verdict.missing else "",
        f"## {SIGNS[verdict.answer]} {view.ANSWERS[verdict.answer]}",
        f"**{text(verdict.concluded)}**",
        f"Use now: {code(verdict.recommended)}",
        f"*{view.imported(comparison).capitalize()}.*" if view.imported(comparison) else "",
        _listed("Why", [text(reason) for reason in verdict.reasons]),
        _strategies(comparison),
        _listed("The search for a prompt", [_fact(fact) for fact in prompt_search.searches(comparison)]),
        _listed(recipe_search.TITLE, [_fact(fact) for fact in recipe_search.trials(comparison)]),
        _listed(retrieval.TITLE, [_fact(fact) for fact in retrieval.facts(comparison)]),
        _listed("Money", [_fact(fact) for fact in view.money_facts(comparison)]),
        _listed("What more training examples would bring", [text(str(one)) for one in curves.lines(comparison)]),
        guard_list.markdown(comparison, text),
        _listed("The examples", [_fact(fact) for fact in data.facts(comparison)]),
        _listed("What would change the answer", [text(change) for change in verdict.would_flip]),
        _next_step(comparison),
        steps.markdown(comparison),
        _listed("Failed or not run", [_fact(fact) for fact in view.failures(comparison)]),
        _slices(comparison),
        _examples(comparison),
        _assumptions(comparison),
        _reproduction(comparison),
    ]
    return _fitted([part for part in blocks if part])


def _fitted(blocks: list[str]) -> str:
    """Join as many blocks as a comment holds; what is left out is said."""
    kept, size = [], 0
    for part in blocks:
        size += len(part) + 2
        if size > LIMIT:
            kept.append("*The rest does not fit into a comment; see the HTML report.*")
            break
        kept.append(part)
    return "\n\n".join(kept) + "\n"


def _listed(title: str, items: list[str]) -> str:
    return f"**{title}**\n\n" + "\n".join(f"- {item}" for item in items) if items else ""


def _fact(fact: view.Fact) -> str:
    meaning = f" ({text(fact.meaning)})" if fact.meaning else ""
    return f"{text(fact.name)}: **{text(fact.value)}**{meaning}"


def _strategies(comparison: Comparison) -> str:
    reference = code(comparison.pivot, 60)
    wait = "Wait: typical / slow 5%"
    header = ["Strategy", "Mean score", f"Against {reference}", "USD per 1,000", wait, "Set-up", "Failed / cut off"]
    rows = [
        [
            f"{code(row.label, 60)}{' **recommended**' if 'recommended' in row.marks else ''}",
            f"{row.quality} {row.quality_bounds}".strip(),
            f"{row.lead} {row.lead_bounds} {row.clear}".strip(),
            row.cost,
            f"{row.latency_p50} / {row.latency_p95}",
            f"{row.fit_usd} / {row.fit_time}",
            f"{row.failed} / {row.cut}",
        ]
        for row in view.rows(comparison)
    ]
    note = (
        f"In brackets: where the true value lies in {view.level(comparison)} cases. A lead whose bracket holds 0 could "
        "be chance. A dash is not known, never zero."
    )
    return f"{table(header, [[_unlinked(c) for c in row] for row in rows])}\n\n<sub>{note} {_how(comparison)}</sub>"


def _unlinked(cell: str) -> str:
    """Keep ``[0.55, 0.69]`` from being taken for a link's text outside code."""
    return cell if "`" in cell else cell.replace("[", "\\[").replace("]", "\\]")


def _how(comparison: Comparison) -> str:
    return f"How this was computed: {text(view.methods(comparison))}, paired by example."


def _slices(comparison: Comparison) -> str:
    found = view.slices(comparison)
    if not found:
        return ""
    labels = [code(row.label, 40) for row in view.rows(comparison)]
    rows = [[code(name, 60), n, *scores] for name, n, scores in found]
    return folded("Score by kind of example", table(["Slice", "Examples", *labels], rows))


def _examples(comparison: Comparison) -> str:
    shown = comparison.disagreements[:SHOWN_EXAMPLES]
    return folded("Where the strategies disagree", "\n\n".join(_example(d) for d in shown)) if shown else ""


def _example(d: Disagreement) -> str:
    rows = [[code(label, 60), numbers.score(score), code(answer)] for label, (answer, score) in d.answers.items()]
    head = f"{code(d.example_id, 60)} asked {code(d.input)}, wanted {code(d.target)}"
    return f"{head}\n\n{table(['Strategy', 'Score', 'Answer'], rows, (0, 2))}"


def _assumptions(comparison: Comparison) -> str:
    items = [f"{text(fact.name)}: {text(fact.value)}" for fact in view.assumptions(comparison)]
    items += [text(note) for note in comparison.notes]
    return folded("Assumptions and notes", "\n".join(f"- {item}" for item in items)) if items else ""


def _next_step(comparison: Comparison) -> str:
    step = view.next_step(comparison)
    return f"**Next step:** {text(step.words)}" + (f"\n\n{block(step.command)}" if step.command else "")


def _reproduction(comparison: Comparison) -> str:
    command, facts = view.reproduction(comparison)
    listed = "\n".join(f"- {text(fact.name)}: {code(fact.value)}" for fact in facts)
    shown = f"{block(command)}\n\n" if command else ""
    return folded("How to get the same again", f"{shown}- compared: {text(view.subject(comparison))}\n{listed}")
