"""Does the product keep its promises? The real pipeline on simulated worlds whose truth is known.

`settings` lists the worlds and what is promised in each, `worlds` makes one, `measuring` runs them and counts,
`journal` keeps what is done.
"""

from __future__ import annotations

from advisor.testing.selftest.journal import Journal
from advisor.testing.selftest.measuring import MeasuredRate, measure
from advisor.testing.selftest.settings import FULL, QUICK, Setting, settings

__all__ = ["FULL", "QUICK", "Journal", "MeasuredRate", "Setting", "measure", "settings"]
