"""What may stand after --model, and what is said about everything else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from advisor.core.errors import AdvisorError, ConfigurationError, ModelError
from advisor.core.model import Request
from advisor.core.types import Message
from advisor.models.endpoint.model import EndpointModel
from advisor.models.opening import open_model
from advisor.models.scripted import ScriptedModel

FILE = """
    from advisor.models.scripted import ScriptedModel

    TABLE = {"hello": "from a table"}
    READY = ScriptedModel({"hello": "ready"}, name="mine")
    NUMBER = 3

    def answer(request):
        return "from a function"

    class Own:
        name, fingerprint = "own", "own"
        def __init__(self, word="own"):
            self.word = word
        def generate(self, requests):
            from advisor.core.model import Completion
            return [Completion(self.word) for _ in requests]
        def tune(self, job):
            raise NotImplementedError

    class Half:
        name, fingerprint = "half", "half"
        def generate(self, requests):
            return []
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "answers.py"
    path.write_text(dedent(FILE), encoding="utf-8")
    return path


def hello(model: Any) -> str:
    return str(model.generate([Request((Message("user", "hello"),))])[0].text)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("scripted:{}:answer", "from a function"),
        ("scripted:{}:TABLE", "from a table"),
        ("scripted:{}:READY", "ready"),
        ("{}:Own", "own"),
    ],
)
def test_models_from_a_file(file: Path, spec: str, said: str) -> None:
    assert hello(open_model(spec.format(file))) == said


def test_a_model_of_your_own_takes_parameters(file: Path) -> None:
    assert hello(open_model(f'{file}:Own(word="hi")')) == "hi"


def test_editing_a_scripted_answer_changes_the_fingerprint(file: Path) -> None:
    before = open_model(f"scripted:{file}:answer").fingerprint
    assert before == open_model(f"scripted:{file}:answer").fingerprint
    file.write_text(file.read_text().replace("from a function", "from an edited one"), encoding="utf-8")
    assert before != open_model(f"scripted:{file}:answer").fingerprint


def test_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    hosted = open_model(" openai:ft:gpt-4.1-mini:org::id ", jobs=3)
    assert isinstance(hosted, EndpointModel)
    assert (hosted.model, hosted.address.url, hosted.options.jobs) == (
        "ft:gpt-4.1-mini:org::id",
        "https://api.openai.com/v1",
        3,
    )
    here = open_model("http://127.0.0.1:8000/v1#org/name", offline=True)
    assert isinstance(here, EndpointModel)
    assert (here.model, here.name) == ("org/name", "http://127.0.0.1:8000/v1#org/name")


def test_openai_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelError, match="export OPENAI_API_KEY"):
        open_model("openai:gpt-4.1-mini")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("smolm2", "did you mean 'smollm2'"),
        ("SmolLM2", "did you mean 'smollm2'"),
        ("gpt-4.1-mini", "did you mean 'openai:gpt-4.1-mini'"),
        ("opnai:gpt-4.1-mini", "did you mean 'openai:gpt-4.1-mini'"),
        ("Qwen/Qwen3-0.6B", "did you mean 'hf:Qwen/Qwen3-0.6B'"),
        ("no/such/folder/here", "there is no model"),
        ("", "there is no model ''"),
        ("hf:", "there is no model"),
        ("openai:", "Its name is missing"),
        ("http://127.0.0.1:8000/v1", "Its name is missing"),
        ("http:127.0.0.1#m", "not the address"),
        ("http://#m", "not the address"),
        ("scripted:", "names no function in a file"),
        ("scripted:answers.py", "names no function in a file"),
        ("scripted:missing.py:answer", "there is no file 'missing.py'"),
    ],
)
def test_what_is_said_about_everything_else(monkeypatch: pytest.MonkeyPatch, spec: str, message: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(ConfigurationError) as caught:
        open_model(spec)
    assert message in str(caught.value)
    if "there is no model" in message:
        assert "http://host/v1#NAME" in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("scripted:{}:anser", "there is no 'anser'"),
        ("scripted:{}:NUMBER", "is a int; a function"),
        ("scripted:{}:Own", "is a type; a function"),
        ("{}:Half", "is no model: it has no tune"),
        ("{}:Own(wrd=1)", "did you mean 'word'"),
    ],
)
def test_what_is_said_about_a_file(file: Path, spec: str, message: str) -> None:
    with pytest.raises(AdvisorError) as caught:
        open_model(spec.format(file))
    assert message in str(caught.value)


def test_offline_means_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    for spec in ("openai:gpt-4.1-mini", "https://models.example/v1#m", "http://10.0.0.1/v1#m"):
        with pytest.raises(ConfigurationError, match="--offline"):
            open_model(spec, offline=True)
    for spec in ("http://localhost:1/v1#m", "http://[::1]:1/v1#m"):
        assert open_model(spec, offline=True)


def test_opening_an_endpoint_imports_nothing_heavy() -> None:
    code = (
        "import sys; from advisor.models.opening import open_model; open_model('http://127.0.0.1:1/v1#m'); "
        "print(sorted({'openai', 'httpx2', 'httpx', 'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_scripted_model_is_what_it_says(file: Path) -> None:
    assert isinstance(open_model(f"scripted:{file}:TABLE"), ScriptedModel)
