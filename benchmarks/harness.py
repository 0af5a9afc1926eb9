"""What the harness itself costs: examples a second with the durable store, and the pace of concurrent calls.

    python benchmarks/harness.py                            (two minutes)
    python benchmarks/harness.py --inspect PYTHON           beside inspect_ai, installed for that PYTHON (four minutes)

Overhead: 20,000 and 100,000 examples through the scripted model, every outcome in the store before it counts; in a
process of its own each, so that its peak of memory is its own. inspect_ai runs 2,000 samples on its mock model, which
says how many tokens it used, so that nothing is fetched or counted for that. They take turns, and so does
`advisor --help`, by the clock from start to end.

Endpoint: 640 calls to a server on this machine that answers after 50 ms, 32 at once: our endpoint model, and a bare
loop of the openai client in 32 threads; in pairs, alternating.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SIZES = (20_000, 100_000)
CALLS, AT_ONCE, LATENCY, PAIRS = 640, 32, 0.05, 5
INSPECTED = 2_000
INSPECT = """
import sys, time
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate
count = int(sys.argv[1])
task = Task(dataset=MemoryDataset([Sample(input=f"question {n}", target="yes") for n in range(count)]),
            solver=generate(), scorer=match())
def yes(*asked):
    done = ModelOutput.from_content(model="mockllm", content="yes")
    done.usage = ModelUsage(input_tokens=5, output_tokens=1, total_tokens=6)  # else it fetches a tokenizer to count
    return done
model = get_model("mockllm/model", custom_outputs=yes)
start = time.perf_counter()
(log,) = eval(task, model=model, display="none", log_dir=sys.argv[2], max_connections=1000)
assert log.status == "success", log.error
print(time.perf_counter() - start)
"""


def scripted(count: int) -> None:
    """Print the seconds that `count` examples take, and the peak of memory in GB."""
    from advisor.core import registry
    from advisor.core.types import EvalSet, Example
    from advisor.models.scripted import ScriptedModel
    from advisor.runs.runner import RunContext, run_strategy
    from advisor.runs.store import Store

    test = tuple(Example(f"t{n}", f"question {n}", "yes") for n in range(count))
    train = (Example("a", "a question", "yes"),)
    evalset = EvalSet("many", "Answer yes.", "exact_match", train, (), test)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        metric = registry.make("metrics", "exact_match")
        context = RunContext(evalset, ScriptedModel(_yes), metric, store, embed=_none, workdir=Path(folder))
        start = time.perf_counter()
        run = run_strategy("zero_shot", 0, context)
        took = time.perf_counter() - start
    assert sum(outcome.score or 0 for outcome in run.outcomes) == count
    print(json.dumps([took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))


def _yes(request: Any) -> str:
    return "yes"


def _none(texts: Any) -> Any:
    raise AssertionError("nothing is embedded here")


def serve(ready: Any) -> None:
    """Answer every chat completion after the latency, until killed."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    body = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
                       "usage": usage}).encode()  # fmt: skip
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
                )
                await reader.readexactly(length)
                await asyncio.sleep(LATENCY)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def forever() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        ready.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


def bare(url: str) -> None:
    """The loop a user would write."""
    from openai import OpenAI

    client = OpenAI(base_url=url, api_key="none")

    def ask(number: int) -> str | None:
        messages: Any = [{"role": "user", "content": f"question {number}"}]
        done = client.chat.completions.create(model="m", messages=messages, max_tokens=8, temperature=0)
        return done.choices[0].message.content

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert list(pool.map(ask, range(CALLS))) == ["yes"] * CALLS


def ours(url: str) -> None:
    """The same calls as a comparison makes them: in the ledger before they are sent, in the store when they return."""
    from advisor.core.model import Request
    from advisor.core.types import Message
    from advisor.models.endpoint import EndpointModel, EndpointOptions
    from advisor.runs.metering import Budget, Meter, MeteredModel
    from advisor.runs.store import Store

    endpoint = EndpointModel("m", url=url, key="none", options=EndpointOptions(jobs=AT_ONCE))
    requests = [Request((Message("user", f"question {n}"),), max_tokens=8) for n in range(CALLS)]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        done = MeteredModel(endpoint, store, Meter(), Budget()).generate(requests)
    assert [each.text for each in done] == ["yes"] * CALLS


def _seconds(call: Callable[[Any], None], given: Any) -> float:
    start = time.perf_counter()
    call(given)
    return time.perf_counter() - start


def overhead(peer: str, rounds: int) -> dict[str, list[Any]]:
    """Print and return examples a second, by size, beside inspect_ai where there is one, and seconds to help."""
    found: dict[str, list[Any]] = {}
    for _ in range(rounds):
        for count in SIZES:
            done = subprocess.run([sys.executable, __file__, "--scripted", str(count)], capture_output=True, check=True)
            took, peak = json.loads(done.stdout)
            found.setdefault(f"{count:,} examples, a second", []).append(round(count / took))
            found.setdefault(f"{count:,} examples, peak GB", []).append(round(peak, 3))
        if peer:
            with tempfile.TemporaryDirectory() as folder:
                command = [peer, "-c", INSPECT, str(INSPECTED), folder]
                took = float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split()[-1])
            found.setdefault("inspect_ai samples, a second", []).append(round(INSPECTED / took))
        command = [str(Path(sys.executable).with_name("advisor")), "--help"]
        found.setdefault("advisor --help, seconds", []).append(round(_seconds(_quietly, command), 3))
        print("; ".join(f"{name}: {values[-1]}" for name, values in found.items()), flush=True)
    return found


def _quietly(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def endpoint() -> list[float]:
    """Print how the pace of our concurrent calls compares with the bare loop's; return the shares, ascending."""
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    server = context.Process(target=serve, args=(ready,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ready.get()}/v1"
    bare(url), ours(url)  # the first of each opens modules and connections
    pairs = [(_seconds(bare, url), _seconds(ours, url)) for _ in range(PAIRS)]
    server.kill()
    for title, at in (("bare loop", 0), ("advisor", 1)):
        print(f"{title}: {', '.join(f'{pair[at]:.2f}' for pair in pairs)} s")
    ratios = sorted(bare_took / our_took for bare_took, our_took in pairs)
    print(f"pace of the bare loop reached: {statistics.median(ratios):.0%} ({ratios[0]:.0%} to {ratios[-1]:.0%})")
    return [round(ratio, 3) for ratio in ratios]


def main() -> None:
    """Run both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inspect", default="", metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scripted", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.scripted:
        scripted(options.scripted)
        return
    from evaluation import ENOUGH, keep

    found = {**overhead(options.inspect, options.rounds), "share of the bare loop's pace": endpoint()}
    for name, values in found.items():
        print(f"{name}: median {statistics.median(values)} ({min(values)} to {max(values)})")
    if options.rounds >= ENOUGH:
        keep("harness.json", "beside inspect_ai" if options.inspect else "alone", found)


if __name__ == "__main__":
    main()
