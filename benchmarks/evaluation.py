"""The local engine beside what a user would pick instead: lm-eval, inspect_ai, OpenVINO GenAI and llama.cpp.

    make peers                                    (once: their own environment, .venv-peers, and the weights as GGUF)
    python benchmarks/evaluation.py               (half an hour on 2 idle cores)
    python benchmarks/evaluation.py --items 12 --rounds 1

Three jobs on shipped data: classification behind some 600 shared tokens of examples, answered in free text; the same
decided among the labels; questions behind contexts of some 400 tokens that nobody shares. Every tool runs in a process
of its own, loads the same weights once, and answers the same prompts in turn: a round is one pass of each. Only the
pass is timed. A round's prompts begin with its number, so that no cache helps from one round to the next. Beforehand
each peer is given its best of several batch sizes and number formats, on fewer items.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHARED_TOKENS, CONTEXT_TOKENS, MOST_TOKENS = 600, 400, 12
HF = tuple({"dtype": dtype, "batch_size": size} for dtype in ("float32", "bfloat16") for size in (4, 8, 32))
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
    "OpenVINO GenAI": Peer(
        "openvino_genai_cpu.py", tuple({"max_num_seqs": n} for n in (8, 32, 128)), ("few_shot", "contexts")
    ),
    "llama.cpp": Peer("llama_cpp.py", tuple({"slots": n} for n in (1, 4, 8, 16)), ("few_shot", "contexts")),
}


@dataclass(frozen=True, slots=True)
class Case:
    """Chats to answer, without the number of the round, and what is right, where the prompt lets one know it."""

    chats: tuple[tuple[dict[str, str], ...], ...]
    targets: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def cases(count: int, tokenizer: Any) -> dict[str, Case]:
    """Return the three jobs."""
    from advisor.api import load_evalset

    routing, answers = load_evalset("harrow_routing"), load_evalset("harrow_answers")
    shown = [{"role": "system", "content": routing.instruction}]
    for example in routing.train:
        shown += [
            {"role": "user", "content": str(example.input)},
            {"role": "assistant", "content": str(example.target)},
        ]
        if len(tokenizer.apply_chat_template(shown)["input_ids"]) >= SHARED_TOKENS:
            break
    asked = routing.test[:count]
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
    from advisor.api import load_evalset

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


@contextmanager
def started(names: Sequence[str], python: str, weights: Sequence[str]) -> Iterator[dict[str, Process]]:
    """Start the tools, one after the other."""
    with ExitStack() as stack, (HERE / "results" / "peers.log").open("w") as log:
        found = {}
        for name in names:
            own = sys.executable if name == OWN else python
            found[name] = Process(name, PEERS[name].script, own, weights, log)
            stack.callback(found[name].close)
            print(f"{name}: {found[name].versions}", flush=True)
        yield found


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
    best = options[seconds.index(min(seconds))]
    process.ask(job(case, "Warming", tokenizer, best, 2))  # some tools open the model anew for other options
    return best


def measure(
    name: str, case: Case, processes: dict[str, Process], tokenizer: Any, rounds: int, few: int
) -> list[dict[str, Any]]:
    """Run all rounds of one case and return a row for each tool."""
    running = {key: each for key, each in processes.items() if name in PEERS[key].cases}
    best = {key: choose(each, name, case, tokenizer, few) for key, each in running.items()}
    told: dict[str, list[dict[str, Any]]] = {key: [] for key in running}
    for number in range(rounds):
        for key, process in running.items():
            told[key].append(process.ask(job(case, f"Round {number}", tokenizer, best[key])))
            print(f"  {name}, round {number}, {key}: {told[key][-1]['seconds']:.1f} s", flush=True)
    return [row(key, best[key], told, case) for key in running]


def row(key: str, best: dict[str, Any], told: dict[str, list[dict[str, Any]]], case: Case) -> dict[str, Any]:
    """Return one tool's figures; ratios are those of each round."""
    seconds = [each["seconds"] for each in told[key]]
    ratios = [slow / each["seconds"] for slow, each in zip(seconds, told[OWN], strict=True)]
    right = [answer.lower() == target.lower() for each in told[key]
             for answer, target in zip(each["answers"], case.targets, strict=False)]  # fmt: skip
    same = [one == other for each, own in zip(told[key], told[OWN], strict=True)
            for one, other in zip(each["answers"], own["answers"], strict=True)]  # fmt: skip
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
    asked = parser.parse_args()
    from transformers import AutoTokenizer

    from advisor.models.local import weights

    folder = weights.fetch(weights.SMOLLM2)
    gguf = asked.gguf or str(Path(asked.peers).parents[1] / "weights" / weights.SMOLLM2.member)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    chosen = [name for name in PEERS if name in {OWN, *asked.tools.split(",")}]
    found, versions = {}, {}
    with started(chosen, asked.peers, (str(folder), gguf)) as processes:
        for process in processes.values():
            versions |= process.versions
        for name, case in cases(asked.items, tokenizer).items():
            if name in asked.cases.split(","):
                found[name] = measure(name, case, processes, tokenizer, asked.rounds, min(asked.few, asked.items))
                print("\n" + table(name, len(case.chats), found[name]), flush=True)
    kept = {"versions": versions, "items": asked.items, "rounds": asked.rounds, "cases": found}
    (HERE / "results" / "evaluation.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
