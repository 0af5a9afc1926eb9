"""Two sections: what to do next and what it is worth; and what if it were paid or served otherwise."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from itertools import pairwise

from advisor.core.types import Interval
from advisor.decision.comparison import Comparison
from advisor.decision.information import Information, Step
from advisor.decision.words import sentence

from . import numbers
from .markdown_parts import block, folded, table, text
from .view import Typed

NEXT_TITLE = "What to do next and what it is worth"
WHAT_IF_TITLE = "What if it were paid or served otherwise"
NEXT_HEADER = ("Step", "Costs", "Worth", "Chance to decide")
WHAT_IF_HEADER = ("Strategy", "What if", "USD per 1,000", "Hosting a month", "Brings over the horizon")


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step, ready to print; `mark` says whether it is the one to take, or not worth its price."""

    action: str
    cost: str
    worth: str
    chance: str
    mark: str
    assumption: str
    command: str


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One scenario, ready to print."""

    label: str
    name: str
    cost: str
    hosting: str
    brings: str
    assumption: str


def rows(comparison: Comparison) -> tuple[StepRow, ...]:
    """Return all steps, the best ratio of worth to cost first; empty where there is nothing to decide between.

    Where the answer is given none of them has a chance to decide any more.
    """
    found = comparison.information
    if found is None:
        return ()
    shown = tuple(_row(step, found) for step in found.steps)
    return shown if _open(comparison) else tuple(replace(row, chance=numbers.MISSING, mark="") for row in shown)


def _open(comparison: Comparison) -> bool:
    return comparison.verdict.answer == "not_yet"


def _row(step: Step, found: Information) -> StepRow:
    dear = step.net_usd is not None and step.net_usd <= 0.0
    mark = "best ratio" if step == found.best else "not worth its price" if dear else ""
    return StepRow(
        action=f"{step.action[:1].upper()}{step.action[1:]}",
        cost=numbers.usd_once(step.usd),
        worth=numbers.usd_once(step.worth_usd),
        chance=numbers.percent(step.chance_decides),
        mark=mark,
        assumption=step.assumption,
        command=step.command,
    )


def summary(comparison: Comparison) -> str:
    """Return one sentence on the whole: what certainty is worth, and whether any step is worth its price."""
    found = comparison.information
    if found is None:
        return ""
    limit = f"To know everything for sure would be worth {numbers.usd_once(found.evpi_usd)}"
    if not _open(comparison):
        given = "The answer is given; a step would only make it surer."
        return given if found.evpi_usd is None else f"{given} {limit}."
    if found.evpi_usd is None:
        worth = "What a step is worth in USD is known once a value, a volume and all prices are"
        return f"{worth}; until then each has only its chance to decide."
    if found.best is None:
        return f"{limit}. No step is worth its price."
    return f"{limit}; a step that only tells more about these strategies cannot be worth more."


def method(comparison: Comparison) -> str:
    """Return how the figures of the steps were computed."""
    return (
        "How this was computed: worth is how much more the choice is expected to bring over "
        f"{numbers.months(comparison.money.months)} once the step has been taken, before its own cost, from the same "
        "draws as the money (expected value of sample information, by moment matching: N more examples settle "
        "N / (N + those at hand) of what examples leave open, one more training its part of what trainings leave "
        "open). Chance to decide: how likely the rule says yes or no afterwards, by normal approximation; checks that "
        "fail now are left aside."
    )


def what_ifs(comparison: Comparison) -> tuple[WhatIf, ...]:
    """Return the scenarios of the tuned strategy and its alternative; empty where none applies."""
    return tuple(
        WhatIf(
            label=one.label,
            name=sentence(one.variant),
            cost=_cost(one.usd_per_1000_requests),
            hosting=numbers.usd(one.hosting_usd_per_month),
            brings=numbers.between(one.net_benefit_usd, numbers.usd),
            assumption=sentence(one.basis),
        )
        for one in comparison.money.scenarios
    )


def _cost(found: Interval) -> str:
    return numbers.usd(found.estimate) if found.low == found.high else numbers.interval(found, numbers.usd)


WHAT_IF_METHOD = (
    "How this was computed: the same draws of tokens, seconds and your ranges, priced again; nothing was run for it. "
    "Brings: value of the correct answers minus all costs, not against another strategy."
)


def console(comparison: Comparison) -> tuple[list[str | Typed], list[str]]:
    """Return the items of both sections for a terminal; what the lines to type have in common stands there once."""
    found = rows(comparison)
    base, own = _shared([row.command for row in found])
    steps = [_told(row, words) for row, words in zip(found, own, strict=True)]
    what_if = [
        f"{row.label}, {row.name}: {row.cost} for 1,000 requests"
        f"{f', hosting {row.hosting} a month' if row.hosting != '$0' else ''}"
        f"{f', brings {row.brings}' if row.brings != numbers.MISSING else ''} - {row.assumption}"
        for row in what_ifs(comparison)
    ]
    line = Typed("The line to type, and behind it what a step adds:", base)
    return ([summary(comparison), *steps, line] if steps else []), what_if


def _shared(commands: list[str]) -> tuple[str, list[str]]:
    """Return the flags that all lines have, as one line, and by line those that only it has."""
    split = [_flags(shlex.split(command)) for command in commands]
    common = [pair for pair in split[0] if all(pair in pairs for pairs in split)] if split else []
    own = [[pair for pair in pairs if pair not in common] for pairs in split]
    return _joined(common), [_joined(pairs) for pairs in own]


def _flags(words: list[str]) -> list[tuple[str, ...]]:
    """Cut a line before each of its flags."""
    starts = [0, *(at for at, word in enumerate(words) if at and word.startswith("--")), len(words)]
    return [tuple(words[start:end]) for start, end in pairwise(starts)]


def _joined(pairs: list[tuple[str, ...]]) -> str:
    return shlex.join([word for pair in pairs for word in pair])


def _told(row: StepRow, adds: str) -> str:
    figures = [f"costs {row.cost if row.cost != numbers.MISSING else 'an unknown sum'}"]
    if row.worth != numbers.MISSING:
        figures.append(f"worth {row.worth}")
    if row.chance != numbers.MISSING:
        figures.append(f"decides in {row.chance} of cases")
    mark = f" [{row.mark}]" if row.mark else ""
    typed = f" Adds: {adds}" if adds else ""
    return f"{row.action}: {', '.join(figures)}{mark} ({row.assumption}).{typed}"


def markdown(comparison: Comparison) -> str:
    """Return both sections as Markdown; empty where neither has anything."""
    blocks = []
    if steps := rows(comparison):
        lines = [
            [text(f"{row.action}{f' ({row.mark})' if row.mark else ''}"), row.cost, row.worth, row.chance]
            for row in steps
        ]
        typed = "\n\n".join(f"{text(row.action)}: {text(row.assumption)}\n\n{block(row.command)}" for row in steps)
        blocks += [f"**{NEXT_TITLE}**", text(summary(comparison)), table(list(NEXT_HEADER), lines)]
        blocks += [f"<sub>{text(method(comparison))}</sub>", folded("The lines to type, and what they rest on", typed)]
    if found := what_ifs(comparison):
        lines = [
            [text(row.label), text(f"{row.name} ({row.assumption})"), text(row.cost), row.hosting, text(row.brings)]
            for row in found
        ]
        body = f"{table(list(WHAT_IF_HEADER), lines, (0, 1))}\n\n<sub>{text(WHAT_IF_METHOD)}</sub>"
        blocks.append(folded(WHAT_IF_TITLE, body))
    return "\n\n".join(blocks)


def content(comparison: Comparison) -> dict[str, object]:
    """Return what ``steps.html.jinja`` needs."""
    return {
        "next_title": NEXT_TITLE,
        "steps": rows(comparison),
        "steps_summary": summary(comparison),
        "steps_method": method(comparison),
        "what_if_title": WHAT_IF_TITLE,
        "what_ifs": what_ifs(comparison),
        "what_if_method": WHAT_IF_METHOD,
    }
