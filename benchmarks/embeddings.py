"""Embedding beside sentence-transformers, OpenVINO and ONNX Runtime, all with the same weights in fp32.

    make peers
    python benchmarks/embeddings.py
    python benchmarks/embeddings.py --short 300 --long 30 --rounds 2

Each tool has a process of its own, loads once, and embeds the texts once before anything is timed. In a round every
tool embeds the same texts, another one first each time. Short texts have 5 to 20 words, long ones 60 to 110, which is
within 256 tokens (what is beyond ours reads in windows, and the others cut). Vectors are held against ours.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from evaluation import Process

from advisor.models.local import weights

HERE = Path(__file__).parent
TOOLS = ("ours", "sentence-transformers", "OpenVINO", "ONNX Runtime")
PROMISED = 0.9
"""Of the quickest tool's pace, at least."""


def texts_of(count: int, least: int, most: int) -> list[str]:
    """Return texts of made-up order from the words of this project's documentation."""
    draw = random.Random(0)
    words = " ".join(path.read_text(encoding="utf-8") for path in sorted((HERE.parent / "docs").glob("*.md"))).split()
    return [" ".join(draw.choice(words) for _ in range(draw.randint(least, most))) for _ in range(count)]


def rounds(tools: list[Process], texts: list[str], count: int) -> dict[str, list[dict[str, Any]]]:
    """Return what each tool said in each round, without the first, untimed one."""
    said: dict[str, list[dict[str, Any]]] = {tool.name: [] for tool in tools}
    for number in range(count + 1):
        for tool in tools[number % len(tools) :] + tools[: number % len(tools)]:
            said[tool.name].append(tool.ask({"texts": texts}))
    return {name: answers[1:] for name, answers in said.items()}


def main() -> int:
    """Print the table and keep the seconds; return 1 if ours is slower than promised."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", type=int, default=2_000)
    parser.add_argument("--long", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--python", default=str(HERE.parent / ".venv-peers" / "bin" / "python"))
    asked = parser.parse_args()
    folder, kept, seconds = str(weights.fetch(weights.MINILM)), True, dict[str, dict[str, list[float]]]()
    with ExitStack() as stack:
        log = stack.enter_context((HERE / "results" / "peers.log").open("a"))
        tools = []
        for name in asked.tools.split(","):
            python = sys.executable if name == "ours" else asked.python
            tools.append(Process(name, "embedders.py", python, [name, folder], log))
            stack.callback(tools[-1].close)
        heads = ["texts", "tool", "texts a second, median (range)", "a second of processors", "pace beside ours"]
        print("| " + " | ".join([*heads, "vectors differ by", "peak GB"]) + " |")
        print("|---|---|---|---|---|---|---|")
        for kind, texts in (("short", texts_of(asked.short, 5, 20)), ("long", texts_of(asked.long, 60, 110))):
            said = rounds(tools, texts, asked.rounds)
            own = np.array(said["ours"][0]["answers"])
            for name, answers in said.items():
                pace = sorted(len(texts) / one["seconds"] for one in answers)
                worked = len(texts) / median(one["processors"] for one in answers)
                beside = median(
                    mine["seconds"] / one["seconds"] for mine, one in zip(said["ours"], answers, strict=True)
                )
                apart = np.abs(np.array(answers[0]["answers"]) - own).max()
                cells = [f"{len(texts):,} {kind}", name, f"{median(pace):.1f} ({pace[0]:.1f} to {pace[-1]:.1f})"]
                cells += [f"{worked:.1f}", f"{beside:.2f}", f"{apart:.0e}"]
                print("| " + " | ".join([*cells, f"{max(one['peak_gb'] for one in answers):.1f}"]) + " |", flush=True)
                kept &= beside * PROMISED <= 1
                seconds.setdefault(kind, {})[name] = [one["seconds"] for one in answers]
        versions = {key: value for tool in tools for key, value in tool.versions.items()}
    (HERE / "results" / "embeddings.json").write_text(json.dumps({"versions": versions, "seconds": seconds}, indent=1))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {versions}")
    print(f"promised: {PROMISED:g} of the quickest's pace: {'kept' if kept else 'NOT KEPT'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
