"""What went wrong with one call: which failures pass by themselves, and what the others are about."""

from __future__ import annotations

import re
from typing import Any

from advisor.core.errors import Cause

TRANSIENT = frozenset({408, 409, 429, *(status for status in range(500, 600) if status != 501)})
"""HTTP statuses worth another try. 501 (not implemented) is not one: it will not be implemented a second later."""


class OverdueError(Exception):
    """An answer was not complete in time, however lively it was dripping in."""


class LostError(Exception):
    """The connection broke in the middle of an answer."""


class GivenUpError(Exception):
    """The batch this call belongs to has been given up."""


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may well succeed a little later."""
    import openai

    if isinstance(error, OverdueError | LostError | openai.APIConnectionError):
        return True
    if isinstance(error, openai.APIStatusError):
        return error.status_code in TRANSIENT and not is_out_of_credit(error)
    return False


def is_out_of_credit(error: Any) -> bool:
    """Return whether the account must be filled first: 402, or OpenAI's ``insufficient_quota``."""
    code = (getattr(error, "code", None), getattr(error, "type", None))
    return getattr(error, "status_code", None) == 402 or "insufficient_quota" in code


def speaks_of_key(error: Any) -> bool:
    """Return whether a 400 is about the key, as some gateways say it: ``API key not valid``."""
    return _code(error) == "invalid_api_key" or bool(
        re.search(r"(?i)\bapi[ _-]?key\b.{0,40}\b(in|not )valid\b", _said(error))
    )


def speaks_of_model(error: Any, model: str) -> bool:
    """Return whether a 400 says that there is no such model."""
    said = _said(error)
    missing = re.search(
        r"(?i)\b(does not exist|not found|unknown model|no such model|invalid model|not a valid model)\b", said
    )
    return _code(error) == "model_not_found" or bool(missing and (model in said or "model" in missing[0].lower()))


def _code(error: Any) -> str:
    return str(getattr(error, "code", None) or "")


def _said(error: Any) -> str:
    return str(getattr(error, "body", None) or "")[:2000]


def never_connected(error: BaseException) -> bool:
    """Return whether not even a connection was made (refused, no such host, a wrong certificate, no route)."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol")


def cause_of(error: BaseException) -> Cause:
    """Return what kind of failure an attempt's error is."""
    import openai

    status = getattr(error, "status_code", 0)
    if isinstance(error, OverdueError | openai.APITimeoutError):
        return "overdue"
    if isinstance(error, LostError | openai.APIConnectionError):
        return "connection"
    if status == 429:
        return "rate_limit"
    if status in TRANSIENT or status >= 500:
        return "server"
    return "refused" if 400 <= status < 500 else "other"


def is_push_back(error: BaseException | None) -> bool:
    """Return whether a server wants fewer calls at once: 429 or 503."""
    return getattr(error, "status_code", None) in (429, 503)
