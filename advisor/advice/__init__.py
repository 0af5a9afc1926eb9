"""`advisor ask`: "should I fine-tune?" from published outcomes, without running anything, and honest about it."""

from __future__ import annotations

from advisor.advice.advice import Advice, Question, advise, ask
from advisor.advice.situation import Costs, Pilot, Situation

__all__ = ["Advice", "Costs", "Pilot", "Question", "Situation", "advise", "ask"]
