"""What would turn the answer round, drawn: how far each input, moved alone, moves the gain from tuning."""

from __future__ import annotations

from typing import Any

from advisor.decision.comparison import Comparison
from advisor.decision.evidence import Flip
from advisor.decision.words.turning_points import INPUTS, amount

from . import numbers
from .drawing import INK, MUTED, OTHER, ROW, TUNED, WIDTH, Figure, axis_labels, figure_of, written
from .layout import Axis

TITLE = "What moves the gain from tuning"


def tornado(comparison: Comparison) -> Figure | None:
    """Draw a bar an input, the longest first; `None` where money cannot be netted, so that there is no gain to move."""
    moved = [flip for flip in comparison.verdict.flips if flip.swing > 0.0]
    gain = comparison.money.expected_gain_usd
    if not moved or gain is None:
        return None
    months = numbers.months(comparison.money.months)
    still = [INPUTS[flip.name].lower() for flip in comparison.verdict.flips if flip.swing == 0.0]
    unmoved = f" It does not depend on: {', '.join(still)}." if still else ""
    return figure_of(
        "tornado",
        TITLE,
        _chart(moved, gain.estimate, months),
        "Each bar is one input moved from its low to its high end, all else as it is; the dashed line is the gain now, "
        f"{numbers.usd(gain.estimate)}. Where a bar crosses 0, this input alone can turn the answer round, at the "
        f"figure written behind “turns at”.{unmoved}",
        "the money formula with one input changed at a time. Ends are those of your ranges and of the interval of the "
        "lead, else half and double; what is 0 now is moved to $1 a label, 40 hours of work, 4 retrainings a year.",
    )


def _chart(moved: list[Flip], now: float, months: str) -> Any:
    import altair as alt

    rows = [_row(flip, at) for at, flip in enumerate(moved)]
    low, high = min(0.0, *(row["from"] for row in rows)), max(0.0, *(row["to"] for row in rows))
    room = (high - low) * 0.04 or 1.0
    x = Axis(low - room, high + room)
    axis = alt.Axis(title=f"gain from tuning, USD over {months}", values=x.ticks(4), labelExpr=axis_labels(x.ticks(4)))
    scale = x.scale(alt)
    base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("row:N", axis=None))
    bars = base.mark_bar(height=8, yOffset=12, cornerRadius=2).encode(
        x=alt.X("from:Q", scale=scale, axis=axis),
        x2="to:Q",
        color=alt.condition("datum.crosses", alt.value(TUNED), alt.value(OTHER)),
    )
    marks = alt.Chart(alt.Data(values=[{"zero": 0.0, "now": now}]))
    layers = [
        marks.mark_rule(color=INK).encode(x=alt.X("zero:Q", scale=scale)),
        bars,
        marks.mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x=alt.X("now:Q", scale=scale)),
        *written(base.encode(text="name:N"), INK, align="left", x=0, yOffset=-7, fontWeight=600),
        *written(base.encode(text="text:N"), MUTED, align="right", x=WIDTH, yOffset=-7),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=ROW * len(rows))


def _row(flip: Flip, at: int) -> dict[str, Any]:
    ends = sorted((flip.gain_low or 0.0, flip.gain_high or 0.0))
    name = "Lead in quality" if flip.name == "lead" else INPUTS[flip.name]
    turns = "never turns it" if flip.flip is None else f"turns at {amount(flip.name, flip.unit, flip.flip, brief=True)}"
    crosses = ends[0] < 0.0 < ends[1]
    return {"row": f"{at:04}", "name": name, "text": turns, "from": ends[0], "to": ends[1], "crosses": crosses}
