"""Where things stand in a drawing: axes whose pixels are known, and names that do not overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

CHARACTER, LINE, MARK = 6.8, 14.0, 7.0  # px: width and height of 12 px text, radius kept free around a mark


@dataclass(frozen=True, slots=True)
class Axis:
    """A quantitative axis; `kind` says how values spread over its pixels."""

    low: float
    high: float
    kind: Literal["linear", "sqrt", "log"] = "linear"

    @classmethod
    def of_costs(cls, values: Sequence[float]) -> Axis:
        """Return an axis for amounts of 0 and more; if they spread far, logarithmic, or by the root where one is 0."""
        low, high = min(values), max(values)
        if high <= 0:
            return cls(0.0, 1.0)
        if low > 0 and high / low > 20:
            return cls(low / 1.6, high * 1.6, "log")
        spread = any(0 < value < high / 20 for value in values)
        return cls(0.0, high * 1.08, "sqrt" if spread else "linear")

    @classmethod
    def of_scores(cls, values: Sequence[float]) -> Axis:
        """Return an axis around scores in [0, 1], cut to steps of 0.1."""
        low = math.floor((min(values) - 0.02) * 10) / 10
        high = math.ceil((max(values) + 0.02) * 10) / 10
        return cls(max(low, 0.0), min(high, 1.0))

    def pixel(self, value: float, size: float) -> float:
        """Return how far from the axis' start `value` stands, in px of `size`."""
        low, high, at = (self._spread(v) for v in (self.low, self.high, max(value, self.low)))
        return (at - low) / (high - low) * size

    def _spread(self, value: float) -> float:
        if self.kind == "log":
            return math.log(value)
        return math.sqrt(max(value, 0.0)) if self.kind == "sqrt" else value

    def scale(self, alt: Any) -> Any:
        """Return the altair scale that draws the same."""
        return alt.Scale(domain=[self.low, self.high], nice=False, type=self.kind, clamp=True)

    def ticks(self, count: int = 5) -> list[float]:
        """Return round values to write under the axis."""
        if self.kind == "log":
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [step * 10.0**power for power in powers for step in ((1, 3) if len(powers) < 4 else (1,))]
            within = [value for value in found if self.low <= value <= self.high]
            return within[:: max(1, -(-len(within) // count))]
        raw = (self.high - self.low) / count
        unit = 10.0 ** math.floor(math.log10(raw))
        step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        values = [round(number * step, 12) for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        if self.kind == "sqrt":
            return [0.0, *values[1:]]
        return values


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, px; `x` is its left edge, `y` its middle."""

    x: float
    y: float
    width: float
    height: float = LINE

    def meets(self, other: Box) -> bool:
        """Say whether the two share a pixel."""
        apart = abs(self.y - other.y) >= (self.height + other.height) / 2
        return not apart and self.x < other.x + other.width and other.x < self.x + self.width


def place(points: Sequence[tuple[float, float]], names: Sequence[str], size: tuple[float, float]) -> list[Box | None]:
    """Place one name beside each point, the first points first; `None` where no place is free.

    A greedy search over eight places around a point, which is enough for a dozen points.
    """
    taken = [Box(x - MARK, y, 2 * MARK, 2 * MARK) for x, y in points]
    found: list[Box | None] = []
    for (x, y), name in zip(points, names, strict=True):
        width = CHARACTER * len(name)
        spots = [Box(left, middle, width) for left, middle in _around(x, y, width)]
        free = (b for b in spots if _inside(b, size) and not any(b.meets(other) for other in taken))
        box = next(free, None)
        found.append(box)
        taken += [box] if box else []
    return found


def _around(x: float, y: float, width: float) -> list[tuple[float, float]]:
    right, left, middle = x + MARK + 1, x - MARK - 1 - width, x - width / 2
    near, far = MARK + LINE / 2, MARK + LINE / 2 + 3
    return [
        (right, y), (left, y), (middle, y - near), (middle, y + near),
        (right - 3, y - far), (right - 3, y + far), (left + 3, y - far), (left + 3, y + far),
    ]  # fmt: skip


def _inside(box: Box, size: tuple[float, float]) -> bool:
    width, height = size
    return 0 <= box.x and box.x + box.width <= width and LINE / 2 <= box.y <= height - LINE / 2
