"""Run the worlds of the self-test and count: false answers, coverage and power, each beside what is promised."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any
from zlib import crc32

import numpy as np

from advisor._util.environment import ONE_THREAD, variables
from advisor.core.progress import Progress, silent
from advisor.decision.comparison import Comparison, compare_runs
from advisor.stats.intervals import binomial_interval
from advisor.testing.selftest.journal import Journal, WorldBatch
from advisor.testing.selftest.settings import Measure, Mode, Promise, Setting
from advisor.testing.selftest.worlds import cut, evalset_of, simulate

BATCH = 20
RATE_LEVEL = 0.95
BLUR = 0.06
"""By how much the interval of a rate may reach out of the promise; 300 worlds, those of the quick mode, stay within."""


@dataclass(frozen=True, slots=True)
class MeasuredRate:
    """One figure of the self-test.

    Attributes:
        setting: what was simulated.
        measure: what was counted.
        hits, worlds: in how many of how many worlds.
        low, high: where the true rate lies in 95 of 100 cases (Clopper and Pearson 1934).
        promise: the range promised; `None` where the figure is only shown.
        kept: the promise is within what the simulation can show; `None` without a promise.
    """

    setting: str
    measure: Measure
    hits: int
    worlds: int
    low: float
    high: float
    promise: Promise
    kept: bool | None

    @property
    def told(self) -> bool:
        """Whether so many worlds can tell a kept promise from one that is missed by `BLUR`."""
        return self.promise is None or max(self.high - self.promise[1], self.promise[0] - self.low) <= BLUR

    @property
    def rate(self) -> float:
        """The measured share."""
        return self.hits / self.worlds


def measure(
    chosen: Sequence[Setting],
    mode: Mode,
    *,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = silent,
    journal: Journal | None = None,
) -> tuple[MeasuredRate, ...]:
    """Simulate every setting and return one row a promise.

    A world depends on `seed`, its setting and its number only, so the result is the same with any number of jobs.

    Args:
        chosen: the settings.
        mode: how many worlds, and bootstrap draws in each.
        seed: where randomness starts.
        jobs: processes.
        progress: called with the worlds done.
        journal: where finished batches are kept; those that are in it are not simulated again.
    """
    every = [(one, start, min(start + BATCH, mode.worlds)) for one in chosen for start in range(0, mode.worlds, BATCH)]
    kept: Mapping[WorldBatch, Mapping[Any, int]] = {} if journal is None else journal.done
    tasks = [task for task in every if _known_as(task) not in kept]
    counts: dict[tuple[str, Measure], int] = {}
    total, done = len(chosen) * mode.worlds, 0
    stored = ((task, kept[_known_as(task)]) for task in every if _known_as(task) in kept)
    for task, hits in chain(stored, _run(tasks, mode, seed, jobs)):
        if journal is not None and _known_as(task) not in kept:
            journal.keep(_known_as(task), hits)
        for name, count in hits.items():
            counts[task[0].name, name] = counts.get((task[0].name, name), 0) + count
        done += task[2] - task[1]
        progress("simulated worlds", done, total)
    return tuple(
        rate_of(one.name, name, counts[one.name, name], mode.worlds, promise)
        for one in chosen
        for name, promise in one.promises.items()
    )


def rate_of(setting: str, name: Measure, hits: int, worlds: int, promise: Promise) -> MeasuredRate:
    """Judge one count: a promise is broken if the whole interval of the measured rate lies outside of it."""
    low, high = binomial_interval(hits, worlds, RATE_LEVEL)
    kept = None if promise is None else low <= promise[1] and high >= promise[0]
    return MeasuredRate(setting, name, hits, worlds, low, high, promise, kept)


SettingBatch = tuple[Setting, int, int]
Hits = dict[Measure, int]


def _known_as(task: SettingBatch) -> WorldBatch:
    return task[0].name, task[1], task[2]


def _run(tasks: Sequence[SettingBatch], mode: Mode, seed: int, jobs: int) -> Iterator[tuple[SettingBatch, Hits]]:
    if jobs == 1:
        for task in tasks:
            yield task, batch(*task, seed=seed, draws=mode.draws)
        return
    with variables(ONE_THREAD), ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_obey_the_parent) as pool:
        futures: dict[Future[Hits], SettingBatch] = {
            pool.submit(batch, *task, seed=seed, draws=mode.draws): task for task in tasks
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _obey_the_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it ends, however that came about."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def batch(setting: Setting, start: int, stop: int, *, seed: int, draws: int) -> Hits:
    """Return in how many of the worlds `start` to `stop` each measure of the setting was a hit."""
    found: Hits = dict.fromkeys(setting.promises, 0)
    for number in range(start, stop):
        rng = np.random.default_rng([seed, crc32(setting.name.encode()), number])
        last, said_yes = _compare(setting, rng, draws)
        for name in found:
            found[name] += said_yes if name in ("false yes", "says yes") else _HITS[name](last, setting)
    return found


def _compare(setting: Setting, rng: np.random.Generator, draws: int) -> tuple[Comparison, bool]:
    """Compare one world, look after look until the first yes; return the last comparison, and whether it was a yes."""
    runs = simulate(setting, rng)
    looked: list[int] = []
    for n in setting.looks or (setting.n,):
        seen = runs if n == setting.n else [cut(run, n) for run in runs]
        evalset, start = evalset_of(n, setting.cluster_size), int(rng.integers(2**31))
        found = compare_runs(seen, evalset, setting.economics, seed=start, draws=draws, earlier_looks=tuple(looked))
        if found.verdict.answer == "fine_tune":
            return found, True
        looked.append(n)
    return found, False


def _covers(comparison: Comparison, setting: Setting) -> bool:
    pair = comparison.differences[0]
    second = setting.arms[1]
    truth = 0.0 if setting.permuted else second.lead
    sign = 1.0 if pair.a == second.label else -1.0
    return pair.interval.low <= sign * truth <= pair.interval.high


def _found(comparison: Comparison, setting: Setting) -> bool:
    pair = comparison.differences[0]
    ahead = (pair.interval.estimate > 0.0) == (pair.a == setting.arms[1].label)
    return pair.real and ahead


_HITS = {"covers": _covers, "found": _found}
