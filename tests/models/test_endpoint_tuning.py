"""Tuning at a provider: paid for once, whatever happens in between; and one clear sentence where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from advisor.core.errors import ModelError
from advisor.core.model import Request, TuningConfig, TuningExample, TuningJob
from advisor.core.types import Message, ToolCall, ToolSpec
from advisor.models.endpoint import EndpointModel, EndpointOptions
from advisor.models.endpoint.retry import Retry
from tests.models.fake_server import FakeServer, Seen, Sent, echo, http, plain, status

OPTIONS = EndpointOptions(2, 600.0, Retry(3, 0.001, 0.01), poll_seconds=0.001)


@dataclass
class Provider:
    """A provider's files and jobs; `faults` are answered once each instead, by method and end of the path."""

    polls: int = 2
    end: str = "succeeded"
    faults: list[tuple[str, str, Sent]] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    extras: bool = True

    def __call__(self, seen: Seen) -> Sent:
        path = seen.path.split("?")[0].removeprefix("/v1")
        for fault in self.faults:
            if seen.method == fault[0] and path.endswith(fault[1]):
                self.faults.remove(fault)
                if seen.method == "POST" and path == "/fine_tuning/jobs" and fault[2] is None:
                    self._create(seen)  # created, and the answer is lost on the way
                return fault[2]
        if path == "/chat/completions":
            return echo(seen)
        if path == "/files":
            self.files.append(seen.body)
            return plain({"id": f"file-{len(self.files)}", "object": "file"})
        if path == "/fine_tuning/jobs":
            return self._create(seen) if seen.method == "POST" else plain({"data": self.jobs, "has_more": False})
        return self._job(path)

    def _create(self, seen: Seen) -> bytes:
        job = {"id": f"job-{len(self.jobs) + 1}", "status": "queued", "training_file": seen.json["training_file"]}
        self.jobs.append({**job, "sent": seen.json, "polls": 0})
        return plain(self.jobs[-1])

    def _job(self, path: str) -> bytes:
        job = next((job for job in self.jobs if job["id"] in path), None)
        if job is None:
            return status(404, "no such job")
        if path.endswith("/events"):
            event = {"type": "metrics", "data": {"step": 5, "total_steps": 10, "train_loss": 0.5}}
            return plain({"data": [{"type": "message"}, event]}) if self.extras else status(404)
        if path.endswith("/checkpoints"):
            rows = [
                {"step_number": step, "metrics": {"train_loss": loss, "full_valid_loss": loss + 1}}
                for step, loss in ((10, 0.25), (5, 0.5))
            ]
            return plain({"data": rows}) if self.extras else status(404)
        job["polls"] += 1
        if job["polls"] < self.polls:
            return plain({**job, "status": "running"})
        told = {"created_at": 100, "finished_at": 160, "trained_tokens": 321} if self.extras else {}
        error = {"code": "x", "message": "the file has too few lines"} if self.end == "failed" else None
        return plain({**job, "status": self.end, "fine_tuned_model": "ft:m:1", "error": error, **told})


@pytest.fixture
def at() -> Iterator[Callable[[Provider], EndpointModel]]:
    opened: list[tuple[EndpointModel, FakeServer]] = []

    def start(provider: Provider) -> EndpointModel:
        server = FakeServer(default=provider).__enter__()
        opened.append((EndpointModel("m", url=server.url, options=OPTIONS), server))
        return opened[-1][0]

    yield start
    for model, server in opened:
        model.close()
        server.__exit__()


def row(question: str, answer: str) -> TuningExample:
    return TuningExample((Message("user", question), Message("assistant", answer)))


def job(folder: Path, **changes: Any) -> TuningJob:
    made = TuningJob((row("a", "1"), row("b", "2")), (row("c", "3"),), folder, TuningConfig(epochs=3, seed=7))
    return replace(made, **changes)


def test_a_job_from_upload_to_answers(at: Any, tmp_path: Path) -> None:
    provider, shown = Provider(polls=3), list[tuple[str, int, int]]()
    model = at(provider)
    tuned, report = model.tune(job(tmp_path, progress=lambda *step: shown.append(step)))
    assert tuned.model == "ft:m:1"
    assert tuned.generate([Request((Message("user", "hi"),))])[0].text == "re: hi"
    tuned.close()
    assert (report.seconds, report.tokens, report.epoch) == (60.0, 321, 3)
    assert (report.train_loss, report.dev_loss, report.dev_exact_match) == ((0.5, 0.25), (1.5, 1.25), ())
    sent = provider.jobs[0]["sent"]
    assert (sent["model"], sent["training_file"], sent["validation_file"]) == ("m", "file-1", "file-2")
    assert (sent["hyperparameters"], sent["seed"]) == ({"n_epochs": 3, "batch_size": "auto"}, 7)
    assert (
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "1"}]}\n'
        in (provider.files[0])
    )
    assert b'name="purpose"' in provider.files[0]
    assert b"fine-tune" in provider.files[0]
    assert ("hosted fine-tuning", 5, 10) in shown


def test_tools_stand_in_the_file(at: Any, tmp_path: Path) -> None:
    provider = Provider()
    tool = ToolSpec("math.add", "Add.", {"type": "object", "properties": {}})
    called = Message("assistant", "", (ToolCall("math.add", {"a": 1}),))
    at(provider).tune(job(tmp_path, train=(TuningExample((Message("user", "x"), called), (tool,)),), dev=()))
    line = json.loads(next(part for part in provider.files[0].splitlines() if part.startswith(b'{"messages"')))
    assert line["tools"][0]["function"]["name"] == "math_add"
    assert line["messages"][1]["tool_calls"][0]["function"]["name"] == "math_add"
    assert "validation_file" not in provider.jobs[0]["sent"]


def test_a_provider_that_tells_little(at: Any, tmp_path: Path) -> None:
    _, report = at(Provider(extras=False)).tune(job(tmp_path))
    assert (report.tokens, report.train_loss, report.dev_loss) == (0, (), ())
    assert report.seconds > 0


def test_an_interrupted_wait_goes_on_with_the_same_job(at: Any, tmp_path: Path) -> None:
    provider = Provider(polls=4)
    model = at(provider)

    def interrupt(what: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.tune(job(tmp_path, progress=interrupt))
    assert json.loads((tmp_path / "job.json").read_text())["job"] == "job-1"
    assert model.tune(job(tmp_path))[0].model == "ft:m:1"
    assert (len(provider.files), len(provider.jobs)) == (2, 1)


def test_other_data_is_another_job(at: Any, tmp_path: Path) -> None:
    provider = Provider()
    model = at(provider)
    model.tune(job(tmp_path))
    model.tune(job(tmp_path))
    assert len(provider.jobs) == 1
    model.tune(job(tmp_path, train=(row("a", "other"),)))
    (tmp_path / "job.json").write_text("{ broken")
    model.tune(job(tmp_path))
    assert len(provider.jobs) == 3


@pytest.mark.parametrize("fault", [None, status(503), status(429, Retry_After="0.001")], ids=["lost", "503", "429"])
@pytest.mark.parametrize("step", [("POST", "/jobs"), ("GET", "/jobs"), ("POST", "/files"), ("GET", "/job-1")])
def test_no_passing_fault_pays_for_a_second_job(at: Any, tmp_path: Path, fault: Sent, step: tuple[str, str]) -> None:
    provider = Provider(faults=[(*step, fault)])
    assert at(provider).tune(job(tmp_path))[0].model == "ft:m:1"
    assert len(provider.jobs) == 1
    assert provider.faults == []


def test_a_crash_before_the_id_was_written_down_is_covered(at: Any, tmp_path: Path) -> None:
    provider = Provider(faults=[("POST", "/fine_tuning/jobs", None)] + [("GET", "/fine_tuning/jobs", status(500))] * 6)
    provider.faults.insert(0, ("GET", "/fine_tuning/jobs", plain({"data": []})))
    model = at(provider)
    with pytest.raises(ModelError, match="could not create the job"):
        model.tune(job(tmp_path))
    provider.faults.clear()
    model.tune(job(tmp_path))
    assert (len(provider.files), len(provider.jobs)) == (2, 1)


def test_what_a_killed_process_had_begun_to_write_is_removed(at: Any, tmp_path: Path) -> None:
    at(Provider()).tune(job(tmp_path))
    [written] = [path for path in tmp_path.rglob("*.json")]
    leftover = written.with_name(f".{written.name}.0123abcd.part")
    leftover.write_bytes(b"half")
    written.unlink()
    at(Provider()).tune(job(tmp_path))
    assert written.exists()
    assert not leftover.exists()


@pytest.mark.parametrize("code", [403, 404, 405, 501])
@pytest.mark.parametrize("path", ["/files", "/fine_tuning/jobs"])
def test_a_provider_without_tuning_says_so(at: Any, tmp_path: Path, code: int, path: str) -> None:
    provider = Provider(faults=[("POST", path, status(code, "not available"))])
    with pytest.raises(ModelError, match=r"does not fine-tune 'm' for you: could not") as caught:
        at(provider).tune(job(tmp_path))
    assert "--model smollm2" in caught.value.hint
    assert "--strategy" in caught.value.hint


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_failed_job_is_an_error_with_its_reason_and_is_not_resumed(at: Any, tmp_path: Path, end: str) -> None:
    provider = Provider(end=end)
    model = at(provider)
    with pytest.raises(ModelError, match=f"job-1 at .* ended as '{end}'") as caught:
        model.tune(job(tmp_path))
    assert ("too few lines" in str(caught.value)) == (end == "failed")
    provider.end = "succeeded"
    model.tune(job(tmp_path))
    assert len(provider.jobs) == 2


def test_a_refused_key_and_a_page_instead_of_an_answer(at: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="refused the key"):
        at(Provider(faults=[("POST", "/files", status(401))])).tune(job(tmp_path))
    page = http(200, b"<html>Welcome</html>", kind="text/html")
    with pytest.raises(ModelError, match="where a file or a fine-tuning job was due"):
        at(Provider(faults=[("POST", "/files", page)])).tune(job(tmp_path))
