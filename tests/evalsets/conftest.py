"""A small eval set in a folder, which a test can then spoil."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.core.shipped import shipped

shipped("evalsets")

Write = Callable[..., Path]


def rows(split: str, count: int) -> list[dict[str, Any]]:
    return [{"id": f"{split}-{n}", "input": f"{split} question {n}", "target": "ab"[n % 2]} for n in range(count)]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a folder with an eval set; keywords replace files by name, with `__` for the dot."""

    def writer(**files: str | bytes | list[dict[str, Any]] | None) -> Path:
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        default: dict[str, Any] = {
            "evalset__yaml": "name: mine\ninstruction: Answer.\nmetric: exact_match\n",
            "train__jsonl": rows("train", 30),
            "test__jsonl": rows("test", 10),
        }
        for name, content in {**default, **files}.items():
            path = folder / name.replace("__", ".")
            if isinstance(content, list):
                content = "".join(json.dumps(row) + "\n" for row in content)
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return writer


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2026)


class Server:
    """Serves texts by path and counts what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.moved: dict[str, str] = {}
        self.lie = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                if self.path in outer.moved:
                    self.send_response(302)
                    self.send_header("Location", outer.moved[self.path])
                    self.end_headers()
                    return
                body = outer.files.get(self.path.partition("?")[0])
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"") + outer.lie))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server()
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ADVISOR_PUBLIC_BASE", f"{made.address}/{{revision}}/")
    monkeypatch.setenv("HF_ENDPOINT", made.address)
    monkeypatch.delenv("ADVISOR_DATA_MIRROR", raising=False)
    yield made
    made.server.shutdown()
    made.server.server_close()
