"""Calls into a strategy or a metric, which may be anybody's code: what breaks inside it is its own error."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from traceback import walk_tb
from typing import Any

from advisor.core.errors import AdvisorError, CallFailed, ConfigurationError, IncompleteError, ModelError, StoreError
from advisor.core.metric import Metric
from advisor.core.specs import recordable
from advisor.core.strategy import Strategy
from advisor.core.types import Example, Prediction

_MOST_USED = 1e18
"""Tokens, calls or seconds; no counter goes further."""


class BrokenStrategyError(Exception):
    """A strategy raised, or did not answer as the protocol asks; its run is then an error and nobody else's."""


def calling(strategy: Strategy, what: str, call: Callable[[], Any], *, tune_error: Callable[[], str]) -> Any:
    """Call into a strategy; whatever breaks inside it is its own error, a dead model is everybody's.

    Args:
        strategy: whose code it is.
        what: `fit` or `predict`.
        call: the call.
        tune_error: asked after the call: the error its last training ended in, which is its own too.

    Raises:
        BrokenStrategyError: its own code, or its training, broke.
        CallFailed: in `predict`, an answer could not be had.
        ModelError, IncompleteError, StoreError: these end the comparison.
    """
    try:
        return call()
    except CallFailed as failure:
        if what == "predict":
            raise
        raise BrokenStrategyError(f"fit could not finish: {failure}") from failure
    except (IncompleteError, StoreError, BrokenStrategyError):
        raise
    except ModelError as error:
        if str(error) == tune_error():
            raise BrokenStrategyError(f"{what}: {error}") from error
        raise
    except AdvisorError as error:
        raise BrokenStrategyError(f"{what}: {error}") from error
    except (Exception, SystemExit) as error:  # sys.exit() in a strategy ends that strategy, not the comparison
        at = _last_line(error, type(strategy))
        raise BrokenStrategyError(f"{what} raised {type(error).__name__}: {error}{at}") from error


def listed(name: str, returned: Any) -> list[Any]:
    """Return what `predict` of the strategy `name` returned as a list; one text would be an answer a character.

    Raises:
        BrokenStrategyError: it is a text, or nothing that can be gone through.
    """
    if isinstance(returned, str | bytes) or not isinstance(returned, Iterable):
        raise BrokenStrategyError(
            f"{name}.predict returned a {type(returned).__name__}; it must return a list, one answer an input, in order"
        )
    return list(returned)


def checked(name: str, answers: Sequence[Any], wanted: int) -> list[Prediction]:
    """Return the answers of the strategy `name` as predictions.

    Raises:
        BrokenStrategyError: they are not as many as `wanted`, or one is neither a text nor a prediction.
    """
    if len(answers) != wanted:
        raise BrokenStrategyError(
            f"{name}.predict returned {len(answers)} answers for {wanted} inputs; it must return one an input, in order"
        )
    for answer in answers:
        if not isinstance(answer, str | Prediction):
            raise BrokenStrategyError(
                f"{name}.predict returned a {type(answer).__name__}; an answer is a str or a Prediction"
            )
        if isinstance(answer, Prediction) and not isinstance(answer.output, str):
            raise BrokenStrategyError(
                f"{name}.predict returned a Prediction whose output is a {type(answer.output).__name__}; "
                "it must be a str"
            )
        if isinstance(answer, Prediction) and answer.usage and not all(map(is_usage, astuple(answer.usage))):
            raise BrokenStrategyError(
                f"{name}.predict returned a Prediction with {answer.usage}; its figures must be numbers from 0 on"
            )
    return [Prediction(answer) if isinstance(answer, str) else answer for answer in answers]


def is_usage(value: object) -> bool:
    """Return whether a count or a time of `Usage` can be: a number, neither negative nor endless."""
    return isinstance(value, int | float) and 0 <= value < _MOST_USED


def score_of(metric: Metric, output: str, example: Example) -> float | None:
    """Score one answer; a metric that breaks or leaves [0, 1] is nobody's low score."""
    try:
        score: Any = metric.score(output, example)
        if score is None or 0.0 <= (score := float(score)) <= 1.0:
            found: float | None = score
            return found
    except AdvisorError:
        raise
    except Exception as error:
        raise _broken_metric(metric, "score", error) from error
    raise ConfigurationError(
        f"the metric {metric.name!r} gave {score!r} to example {example.id!r}; "
        "allowed are 0 to 1, and None where it is undefined"
    )


def summaries_of(metric: Metric, pairs: Sequence[tuple[str | None, Example]]) -> Mapping[str, float | None]:
    """Return the metric's figures over the whole set; none where there is nothing."""
    try:
        return metric.summarise(pairs) if pairs else {}
    except AdvisorError:
        raise
    except Exception as error:
        raise _broken_metric(metric, "summarise", error) from error


def _broken_metric(metric: Metric, what: str, error: Exception) -> ConfigurationError:
    at = _last_line(error, type(metric))
    return ConfigurationError(f"the metric {metric.name!r}: {what} raised {type(error).__name__}: {error}{at}")


def recorded(value: Any, what: str) -> dict[str, Any]:
    """Return a dict of the strategy's own as it can be stored."""
    if not isinstance(value, Mapping):
        raise BrokenStrategyError(f"{what} is a {type(value).__name__}; it must be a dict")
    recorded: dict[str, Any] = recordable(value, what)
    return recorded


def _last_line(error: BaseException, strategy: type) -> str:
    """Return where it broke: the last line in the strategy's own file, or the last of all where it has none there."""
    frames = list(walk_tb(error.__traceback__))
    try:
        own = [frame for frame in frames if frame[0].f_code.co_filename == inspect.getsourcefile(strategy)]
    except (TypeError, OSError):
        own = []
    at = (own or frames)[-1:]
    return f" ({Path(at[0][0].f_code.co_filename).name}, line {at[0][1]})" if at else ""
