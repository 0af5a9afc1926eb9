"""The local engine beside what a user would pick instead: lm-eval, inspect_ai, OpenVINO GenAI and llama.cpp.

    make peers                                    (once: their own environment, .venv-peers, and the weights as GGUF)
    python benchmarks/evaluation.py               (an hour and more on 2 idle cores)
    python benchmarks/evaluation.py --items 12 --rounds 1
    python benchmarks/evaluation.py --cases few_shot --evalset public:banking77      (shorter questions)

Three jobs on shipped data, or, the first two, on another set of labelled texts: classification behind some 600 shared
tokens of examples, answered in free text; the same decided among the labels (lm-eval scores every label to its end,
which also gives their likelihoods; ours decodes the likeliest way through the tree of labels, and the two need not
agree); questions behind contexts of some 400 tokens that nobody shares. Every tool answers the same prompts in a
process of its own; a round is one pass of each, and every round begins with another tool. Only the pass is timed. A
round's prompts begin with its number, so that no cache helps from one round to the next. Beforehand each peer is given
its best of several batch sizes and number formats, on fewer items, in a process that then ends. The weights are
SmolLM2-135M-Instruct as published in 4 bits: OpenVINO GenAI and llama.cpp read that file as it is, the others the same
weights unpacked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENOUGH = 5
"""Rounds from which on the figures are kept."""
SHARED_TOKENS, CONTEXT_TOKENS, MOST_TOKENS = 600, 400, 12
HF = tuple({"dtype": dtype, "batch_size": size} for dtype in ("float32", "bfloat16") for size in (8, 32))
OPENVINO = tuple({"max_num_seqs": n, "first_alone": alone} for n in (8, 32, 128) for alone in (False, True))
OWN = "tuneworthy"


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool: its script in `peers/`, what may be set, and the cases it is run on."""

    script: str
    options: tuple[dict[str, Any], ...]
    cases: tuple[str, ...]


PEERS = {
    OWN: Peer("own_engine.py", ({},), ("few_shot", "labels", "contexts")),
    "lm-eval": Peer("lm_eval_hf.py", HF, ("few_shot", "labels", "contexts")),
    "inspect_ai": Peer("inspect_hf.py", HF, ("few_shot",)),
    "OpenVINO GenAI": Peer("openvino_genai_cpu.py", OPENVINO, ("few_shot", "contexts")),
    "llama.cpp": Peer("llama_cpp.py", tuple({"slots": n} for n in (1, 4, 8, 16)), ("few_shot", "contexts")),
}


@dataclass(frozen=True, slots=True)
class Case:
    """Chats to answer, without the number of the round, and what is right, where the prompt lets one know it."""

    chats: tuple[tuple[dict[str, str], ...], ...]
    targets: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def cases(count: int, tokenizer: Any, evalset: str = "harrow_routing") -> dict[str, Case]:
    """Return the three jobs; which examples are shown and asked is drawn once and for all."""
    from advisor.core.shipped import load_evalset

    routing, answers, draw = load_evalset(evalset), load_evalset("harrow_answers"), random.Random(0)
    shown = [{"role": "system", "content": routing.instruction}]
    for example in draw.sample(routing.train, len(routing.train)):
        shown += [
            {"role": "user", "content": str(example.input)},
            {"role": "assistant", "content": str(example.target)},
        ]
        if len(tokenizer.apply_chat_template(shown)["input_ids"]) >= SHARED_TOKENS:
            break
    asked = draw.sample(routing.test, min(count, len(routing.test)))
    chats = tuple((*shown, {"role": "user", "content": str(one.input)}) for one in asked)
    targets = tuple(str(one.target) for one in asked)
    pieces = contexts(tokenizer)[:count]
    behind = tuple(
        (
            {"role": "system", "content": answers.instruction},
            {"role": "user", "content": f"{piece}\n\n{one.input}"},
        )
        for piece, one in zip(pieces, answers.test, strict=False)
    )
    return {
        "few_shot": Case(chats, targets),
        "labels": Case(chats, targets, tuple(routing.labels or ())),
        "contexts": Case(behind),
    }


def contexts(tokenizer: Any) -> list[str]:
    """Return the shipped documents, cut into pieces of the length of a context; no two share text."""
    from advisor.core.shipped import load_evalset

    documents = [each for name in ("harrow_answers", "harrow_desk", "harrow_voice") for each in load_evalset(name).docs]
    ids = tokenizer("\n".join(each.text for each in documents), verbose=False)["input_ids"]
    return [
        tokenizer.decode(ids[at : at + CONTEXT_TOKENS]) for at in range(0, len(ids) - CONTEXT_TOKENS, CONTEXT_TOKENS)
    ]


class Process:
    """A tool's process: loads once, then answers jobs."""

    def __init__(self, name: str, script: str, python: str, weights: Sequence[str], log: Any) -> None:
        self.name = name
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        self._process = subprocess.Popen(
            [python, script, *weights],
            cwd=HERE / "peers",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            text=True,
        )
        self.versions = self._line()["versions"]

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Send one job and return what came back."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with {self._process.wait()}; see benchmarks/results/peers.log")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Tools:
    """Starts tools in processes of their own, and remembers their versions."""

    def __init__(self, names: Sequence[str], python: str, weights: Sequence[str]) -> None:
        self.names, self.versions = list(names), dict[str, str]()
        self._python, self._weights = python, weights

    @contextmanager
    def started(self, name: str) -> Iterator[Process]:
        """Start one; it ends with the block."""
        with (HERE / "results" / "peers.log").open("a") as log:
            process = Process(
                name, PEERS[name].script, sys.executable if name == OWN else self._python, self._weights, log
            )
            self.versions |= process.versions
            try:
                yield process
            finally:
                process.close()


def job(case: Case, round_: str, tokenizer: Any, options: dict[str, Any], most: int = 10**9) -> dict[str, Any]:
    """Return what is sent; every chat begins with the round's name."""
    chats = [
        [{**chat[0], "content": f"{round_}. {chat[0]['content']}"}, *map(dict, chat[1:])] for chat in case.chats[:most]
    ]
    prompts = [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
    return {"messages": chats, "prompts": prompts, "choices": case.choices, "max_tokens": MOST_TOKENS,
            "options": options}  # fmt: skip


def choose(process: Process, name: str, case: Case, tokenizer: Any, most: int) -> dict[str, Any]:
    """Return the options with which a peer was fastest on a few items."""
    options = PEERS[process.name].options
    if len(options) == 1:
        return options[0]
    seconds = []
    for number, one in enumerate(options):
        process.ask(job(case, f"Warming {number}", tokenizer, one, 2))
        told = process.ask(job(case, f"Choice {number}", tokenizer, one, most))
        seconds.append(told["seconds"])
        print(f"  {name}, {process.name} {one}: {told['seconds']:.1f} s for {most} items", flush=True)
    return options[seconds.index(min(seconds))]


def measure(name: str, case: Case, tools: Tools, tokenizer: Any, rounds: int, few: int) -> list[dict[str, Any]]:
    """Run all rounds of one case and return a row for each tool."""
    running = [key for key in tools.names if name in PEERS[key].cases]
    best = {}
    for key in running:
        with tools.started(key) as process:
            best[key] = choose(process, name, case, tokenizer, few)
    told: dict[str, list[dict[str, Any]]] = {key: [] for key in running}
    with ExitStack() as stack:
        processes = {key: stack.enter_context(tools.started(key)) for key in running}
        for key, process in processes.items():
            process.ask(job(case, "Warming", tokenizer, best[key], 2))
        for number in range(rounds):
            for key in running[number % len(running) :] + running[: number % len(running)]:
                told[key].append(processes[key].ask(job(case, f"Round {number}", tokenizer, best[key])))
                print(f"  {name}, round {number}, {key}: {told[key][-1]['seconds']:.1f} s", flush=True)
    return [row(key, best[key], told, case) for key in running]


def row(key: str, best: dict[str, Any], told: dict[str, list[dict[str, Any]]], case: Case) -> dict[str, Any]:
    """Return one tool's figures; ratios are those of each round, answers those of the first."""
    seconds = [each["seconds"] for each in told[key]]
    ratios = [slow / each["seconds"] for slow, each in zip(seconds, told[OWN], strict=True)]
    answers = zip(told[key][0]["answers"], case.targets, strict=False)
    right = [answer.lower() == target.lower() for answer, target in answers]
    same = [one == other for one, other in zip(told[key][0]["answers"], told[OWN][0]["answers"], strict=True)]
    return {
        "tool": key,
        "options": best,
        "seconds": seconds,
        "ratios": ratios,
        "right": statistics.mean(right) if right else None,
        "same": statistics.mean(same),
        "peak_gb": told[key][-1]["peak_gb"],
    }


def table(name: str, items: int, rows: Sequence[dict[str, Any]]) -> str:
    """Return one case as Markdown."""
    lines = [
        f"`{name}`, {items} items:",
        "",
        "| tool | options | seconds, median (range) | times as long as ours | right | as ours | peak GB |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        seconds, ratios = sorted(one["seconds"]), sorted(one["ratios"])
        options = ", ".join(f"{key} {value}" for key, value in one["options"].items()) or "–"
        right = "–" if one["right"] is None else f"{one['right']:.0%}"
        lines.append(
            f"| {one['tool']} | {options} | {statistics.median(seconds):.1f} ({seconds[0]:.1f} to {seconds[-1]:.1f}) | "
            f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f}) | {right} | "
            f"{one['same']:.0%} | {one['peak_gb']:.1f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Print one table a case and keep the figures in results/evaluation.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=str(HERE.parent / ".venv-peers" / "bin" / "python"), metavar="PYTHON")
    parser.add_argument("--gguf", default="", help="the weights as GGUF; by default where `make peers` puts them")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--few", type=int, default=24, help="items for choosing a peer's options")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tools", default=",".join(PEERS), help="of these, by commas; ours always")
    parser.add_argument("--cases", default="few_shot,labels,contexts")
    parser.add_argument("--evalset", default="harrow_routing", help="with labels; for few_shot and labels")
    asked = parser.parse_args()
    from transformers import AutoTokenizer

    from advisor.models.local import weights

    folder, python = weights.fetch(weights.SMOLLM2), Path(asked.peers).absolute()
    gguf = Path(asked.gguf or python.parents[1] / "weights" / weights.SMOLLM2.member).absolute()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    chosen = [name for name in PEERS if name in {OWN, *asked.tools.split(",")}]
    tools, found = Tools(chosen, str(python), (str(folder), str(gguf))), {}
    for name, case in cases(asked.items, tokenizer, asked.evalset).items():
        if name in asked.cases.split(","):
            found[name] = measure(name, case, tools, tokenizer, asked.rounds, min(asked.few, asked.items))
            print("\n" + table(name, len(case.chats), found[name]), flush=True)
            if asked.rounds >= ENOUGH:
                of = "" if asked.evalset == "harrow_routing" else f" {asked.evalset}"
                of += "" if asked.tools == ",".join(PEERS) else f" beside {asked.tools}"
                one = {"items": len(case.chats), "versions": tools.versions, "rows": found[name]}
                keep("evaluation.json", name + of, one)


def keep(file: str, name: str, one: dict[str, Any]) -> None:
    """Put one case into a file of results/, beside the others."""
    path = HERE / "results" / file
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**kept, name: one}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
