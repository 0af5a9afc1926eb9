"""What ``advisor compare --dry-run`` prints: a line a strategy, what was left out, and the total. Plain text."""

from __future__ import annotations

from advisor._util.tables import text_table
from advisor.runs.plan import Plan, PlanRow

from . import numbers
from .safe import line

HEAD = (
    ("", "", "tokens", "out,", "", "", ""),
    ("strategy", "calls", "in", "most", "trained", "USD", "minutes"),
)


def as_text(plan: Plan) -> str:
    """Return the plan as a table with its notes below, in the width of the terminal."""
    notes = list(dict.fromkeys(row.note for row in plan.rows if row.note))
    sizes = f"{plan.n_train} training, {plan.n_dev} dev and {plan.n_test} test examples"
    parts = [
        _text(f"{plan.evalset}: {sizes}; {plan.model}"),
        text_table([*HEAD, *(_cells(row, notes) for row in plan.rows)], figures=True),
    ]
    if notes:
        parts.append(text_table((f"[{at}]", note) for at, note in enumerate(notes, 1)))
    left_out = [_text(f"not run: {name} ({why})") for name, why in plan.skipped.items()]
    code = [_text(plan.code[:1].upper() + plan.code[1:])] if plan.code else []
    total = f"{numbers.usd_planned(plan.usd)} USD, {numbers.minutes_planned(plan.seconds)} minutes"
    counted = [_text(f"Tokens are counted {plan.counted}.")] if plan.counted else []
    parts.append("\n".join([*left_out, *code, *counted, _text(f"Estimated total: {total}. Nothing was run or paid.")]))
    return "\n\n".join(parts)


def _cells(row: PlanRow, notes: list[str]) -> list[str]:
    counts = (row.calls, row.input_tokens, row.output_tokens, row.training_tokens)
    return [
        f"{line(row.label)} [{notes.index(row.note) + 1}]" if row.note else line(row.label),
        *(numbers.count_planned(count) for count in counts),
        numbers.usd_planned(row.usd),
        numbers.minutes_planned(row.seconds),
    ]


def _text(words: str) -> str:
    return text_table([(line(words),)])
