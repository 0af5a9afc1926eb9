"""Asking strategies and models again under changed conditions, for the guards that rest on it.

`look_closer` runs the probes of one comparison; the other modules each hold one of the changes or measures.
"""

from __future__ import annotations

from .running import Closer, Subject, look_closer

__all__ = ["Closer", "Subject", "look_closer"]
