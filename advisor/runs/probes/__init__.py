"""Asking strategies and models again under changed conditions, for the guards that rest on it.

`run_probes` runs the probes of one comparison; the other modules each hold one of the changes or measures.
"""

from __future__ import annotations

from .running import ProbePlan, Subject, run_probes

__all__ = ["ProbePlan", "Subject", "run_probes"]
