"""T5, T7: keys stay inside and go to their own host only."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from advisor._util.redaction import Redacting, hide_known, redact
from advisor.core.errors import AdvisorError, ConfigurationError
from advisor.core.model import Request
from advisor.core.types import Message
from advisor.models.endpoint import EndpointModel, EndpointOptions
from advisor.models.endpoint.client import Address, Key
from advisor.models.endpoint.retry import Retry
from tests.faults import payloads
from tests.faults.sheet import Sheet, trials
from tests.models.fake_server import FakeServer, Seen, Sent, answer, http, status
from tests.small_comparison import write_evalset

ROOT = Path(__file__).parents[2]
SECRETIVE = '''
import logging, os
logging.basicConfig(level=logging.DEBUG, filename="run.log")


class Leaky:
    """A strategy that logs, prints into its answer and raises with the key in its hand."""

    name = "leaky"

    def fit(self, train, ctx):
        logging.getLogger("leaky").warning("my key is %s", os.environ["ADVISOR_API_KEY"])

    def predict(self, inputs):
        return [f"key {os.environ['ADVISOR_API_KEY']} to {text}" for text in inputs]


class Raising(Leaky):
    name = "raising"

    def predict(self, inputs):
        raise RuntimeError("the key " + os.environ["ADVISOR_API_KEY"] + " does not work")
'''


def echoing(seen: Seen) -> Sent:
    """Send the key back in every way: in answers, in errors, in headers."""
    key = seen.headers.get("authorization", "")
    if "no. 1 " in seen.question:
        return status(400, f"not with {key}")
    if "no. 2 " in seen.question:
        return http(200, f"<html>{key}</html>".encode(), {"X-Echo": key}, kind="text/html")
    return answer(f"billing {key}")


def test_no_key_stands_in_any_artefact(tmp_path: Path, sheet: Sheet) -> None:
    """A whole comparison against a server that echoes the key, beside strategies that leak it; everything is read."""
    tried, broken, artefacts = payloads.keys(), [], 0
    tried = tried[:: max(1, len(tried) // trials(1, len(tried)))]
    write_evalset(tmp_path / "set", train=6, dev=3, test=6)
    (tmp_path / "leaky.py").write_text(SECRETIVE)
    for number, key in enumerate(tried):
        place = tmp_path / f"run{number}"
        place.mkdir()
        with FakeServer([], default=echoing) as server:
            done = compared(place, server.url, key)
            assert server.seen
            assert server.seen[0].headers["authorization"] == f"Bearer {key}", "the test must send the key"
        assert "answered" in done.stdout or (place / "report.json").exists(), done.stderr[-2000:]
        texts = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
        texts |= {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        artefacts += len(texts)
        spelled = {key, json.dumps(key)[1:-1], key.replace("/", "&#47;").replace("+", "&#43;")}
        broken += [f"{key} in {name}" for name, text in texts.items() if any(one.encode() in text for one in spelled)]
    sheet.add(
        "T5", "keys in stdout, stderr, log, store and four reports", len(tried), len(broken), f"{artefacts} files"
    )
    assert not broken, "\n".join(broken)


def compared(place: Path, url: str, key: str) -> subprocess.CompletedProcess[str]:
    outputs = [word for kind in ("html", "json", "csv", "md") for word in ("-o", f"report.{kind}")]
    strategies = ["-s", "zero_shot", "-s", "../leaky.py:Leaky", "-s", "../leaky.py:Raising"]
    own = {"ADVISOR_HOME": str(place / "home"), "ADVISOR_API_KEY": key, "OPENAI_LOG": "debug", "ADVISOR_DEBUG": "1"}
    return subprocess.run(
        [sys.executable, "-m", "advisor", "compare", "../set", "--model", f"{url}#m", *strategies, *outputs],
        cwd=place, env={**os.environ, **own}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def test_no_key_stands_in_a_log_or_a_traceback(monkeypatch: pytest.MonkeyPatch, sheet: Sheet) -> None:
    broken = 0
    for key in payloads.keys():
        monkeypatch.setenv("ADVISOR_API_KEY", key)
        record = logging.LogRecord("x", logging.INFO, "f", 1, "sent %s with %r", (f"Bearer {key}", {"key": key}), None)
        try:
            raise RuntimeError(f"refused {key}")
        except RuntimeError as error:
            record.exc_info = (type(error), error, error.__traceback__)
            shown = redact("".join(traceback.format_exception(error)))
        kept = Key(key)
        texts = (Redacting(None).format(record), shown, repr(kept), str(kept), f"{kept!s}", kept.hide_in(f"x{key}x"))
        broken += sum(key in text for text in texts)
    sheet.add("T5", "keys in log records, their arguments and tracebacks", len(payloads.keys()), broken)
    assert not broken


def test_short_placeholders_and_other_words_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_API_KEY", "ollama")
    assert hide_known("ollama is a runner, sk-learn-like") == "ollama is a runner, sk-learn-like"
    monkeypatch.setenv("HOME_TOKEN", "a-token-that-is-long")
    assert hide_known("a-token-that-is-long, MAX_TOKENS") == "***, MAX_TOKENS"


def test_each_key_goes_to_its_own_host_only(monkeypatch: pytest.MonkeyPatch, sheet: Sheet) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "openai-key-of-the-test")
    monkeypatch.setenv("ADVISOR_API_KEY", "advisor-key-of-the-test")
    broken = []
    for url, whose in payloads.addresses():
        try:
            got = Key.of(Address(url)).reveal()
        except ConfigurationError:
            got = ""
        if got != {"OPENAI": "openai-key-of-the-test", "ADVISOR": "advisor-key-of-the-test", "": ""}[whose]:
            broken.append(f"{url}: {got!r}")
    sheet.add("T7", "which key belongs to which address", len(payloads.addresses()), len(broken))
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_what_really_leaves_for_another_host(variable: str, monkeypatch: pytest.MonkeyPatch, sheet: Sheet) -> None:
    """A proxy sees what is sent to hosts that do not exist: never OpenAI's key, never another header of ours."""
    monkeypatch.setenv("OPENAI_API_KEY", "openai-key-of-the-test")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-test")
    monkeypatch.delenv("ADVISOR_API_KEY", raising=False)
    hosts = ["api.openai.com", "evil.example", "api.openai.com.evil.example", "eu.api.openai.com", "10.1.2.3:8080"]
    with FakeServer([], default=answer("x")) as proxy:
        monkeypatch.setenv(variable, proxy.url.removesuffix("/v1"))
        for host in hosts:
            model = EndpointModel("m", url=f"http://{host}/v1", options=EndpointOptions(retry=Retry(attempts=1)))
            model.generate([Request((Message("user", "x"),))])
            model.close()
        seen = [str(one) for one in proxy.seen]
    broken = sum("of-the-test" in text for text in seen)
    sheet.add("T7", f"what a proxy sees of calls to other hosts ({variable})", len(hosts), broken)
    assert len(seen) == len(hosts)
    assert not broken


REDIRECTS = (300, 301, 302, 303, 305, 307, 308)


@pytest.mark.parametrize("code", REDIRECTS)
def test_a_redirect_takes_no_key_along(code: int, monkeypatch: pytest.MonkeyPatch, sheet: Sheet) -> None:
    monkeypatch.setenv("ADVISOR_API_KEY", "advisor-key-of-the-test")
    with FakeServer([], default=answer("stolen")) as elsewhere:
        there = f"{elsewhere.url}/chat/completions"
        with FakeServer([], default=http(code, b"", {"Location": there})) as server:
            model = EndpointModel("m", url=server.url, options=EndpointOptions(retry=Retry(attempts=1)))
            with pytest.raises(AdvisorError, match="redirects elsewhere"):
                model.generate([Request((Message("user", "x"),))])
            model.close()
        followed = len(elsewhere.seen)
    sheet.add("T7", f"redirect with {code}", 1, followed)
    assert not followed


@pytest.mark.parametrize("key", ["base_url", "url", "model", "endpoint", "api_base", "api_key", "headers", "proxy"])
def test_a_data_set_cannot_say_where_to_send(key: str, tmp_path: Path) -> None:
    from advisor.core.shipped import load_evalset

    write_evalset(tmp_path / "set", **{key: "http://evil.invalid/v1"})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=f"unknown key '{key}'"):
        load_evalset(str(tmp_path / "set"))
