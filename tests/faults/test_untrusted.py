# ruff: noqa: E501
"""T3, T4, T8: names lead nowhere, nothing is unpickled or run that is data, bombs fizzle."""

from __future__ import annotations

import ast
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.core import metrics
from advisor.core.errors import AdvisorError, ModelError
from advisor.core.model import TuningConfig
from advisor.core.shipped import load_evalset
from advisor.core.types import Document, EvalSet, Example, Task
from advisor.models.scripted import ScriptedModel
from advisor.runs.runner import RunContext, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task
from tests.faults import payloads
from tests.faults.bombs import bombs
from tests.faults.sheet import FULL, Sheet, trials
from tests.faults.test_malformed import child
from tests.faults.tiny_model import tiny_adapter, tiny_model
from tests.small_comparison import write_evalset

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("advisor", "strategies", "evalsets", "reports")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "data" not in path.relative_to(ROOT).parts
]


# --- T3: names -------------------------------------------------------------------------------------------------------


def listing(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*")}


def test_no_name_in_a_data_set_leads_out_of_its_folder(tmp_path: Path, sheet: Sheet) -> None:
    """Names of files in ``evalset.yaml``: what lies outside is neither run nor read, by whatever way it is named."""
    canary, tried, broken = tmp_path / "canary", payloads.names(), []
    tried = tried[:: len(tried) // trials(60, len(tried))]
    code = f"open({str(canary)!r}, 'w')\n\n\nclass M:\n    pass\n"
    for outside in (tmp_path / "evil.py", tmp_path / "deep" / "evil.py"):
        outside.parent.mkdir(exist_ok=True)
        outside.write_text(code)
    (tmp_path / "evil.json").write_text("{}")
    folder = write_evalset(tmp_path / "deep" / "set")
    (folder / "link").symlink_to(tmp_path)
    plain = (folder / "evalset.yaml").read_text()
    before = listing(tmp_path)
    exact = [
        "../evil.py",
        "../../evil.py",
        "link/evil.py",
        f"{tmp_path}/evil.py",
        "link/../deep/evil.py",
        "./../evil.py",
    ]
    for name in filter(None, [*exact, *tried]):  # an empty name names nothing
        for key, value in (("tools", name), ("schema", name), ("metric", f"{name.removesuffix('.py')}.py:M")):
            kept = "".join(line for line in plain.splitlines(True) if not line.startswith(f"{key}:"))
            (folder / "evalset.yaml").write_text(f"{kept}{key}: {quoted(value)}\n")
            try:
                found = load_evalset(str(folder))
                metrics.for_task(found.metric, Task.of(found), found.origin)
                broken.append(f"{key}: {value!r} was taken")
            except AdvisorError:
                pass
            if canary.exists():
                broken.append(f"{key}: {value!r} was run")
                canary.unlink()
    if listing(tmp_path) != before:
        broken.append(f"files: {sorted(listing(tmp_path) ^ before)}")
    sheet.add(
        "T3", "names of files in evalset.yaml by tools, schema, metric", 3 * (len(tried) + len(exact)), len(broken)
    )
    assert not broken, "\n".join(broken)


def quoted(name: str) -> str:
    import json

    return json.dumps(name)


def test_no_name_of_an_example_or_a_set_becomes_a_path(tmp_path: Path, sheet: Sheet) -> None:
    """Ids, names of sets, documents and strategies: whatever they are, files appear in the work folder only."""
    inside, tried = tmp_path / "work" / "inside", payloads.names()
    inside.mkdir(parents=True)
    tried = tried[:: len(tried) // trials(60, len(tried))]
    unique = sorted({name for name in tried if name.strip()})
    base = toy_task.toy_evalset()
    for start in range(0, len(unique), 50):
        some = unique[start : start + 50]
        test = tuple(Example(name, f"Question {at}", "billing") for at, name in enumerate(some))
        docs = tuple(Document(name, name, "text") for name in some)
        named = EvalSet(some[0], "Which team?", "exact_match", base.train, base.dev, test, docs=docs)
        with Store(inside / "s.sqlite") as store:
            metric = metrics.for_task(named.metric, Task.of(named))
            model = ScriptedModel(lambda request: "billing", name=some[-1])
            context = RunContext(named, model, metric, store, toy_task.embed, inside / "runs")
            assert len(run_strategy("zero_shot", 0, context).outcomes) == len(some)
    outside = {name for name in listing(tmp_path) if not name.startswith("work/inside")} - {"work", "advisor-home"}
    deep = [
        name
        for name in listing(inside)
        if not re.fullmatch(r"s\.sqlite(-\w+)?|(runs|locks)(/[0-9a-f]+(\.lock)?)?", name)
    ]
    sheet.add("T3", "ids and names of examples, documents, sets, models", len(unique), len(outside) + len(deep))
    assert not outside
    assert not deep


# --- T4: pickle, remote code -----------------------------------------------------------------------------------------


class Canary:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


PICKLES = (
    "pytorch_model.bin", "adapter_model.bin", "model.pkl", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth",
    "tokenizer.pkl", "model.joblib", "adapter_model.pt",
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    for name, content in tiny_model().items():
        (folder / name).write_bytes(content)
    return folder


def test_nothing_is_unpickled(base: Path, tmp_path: Path, sheet: Sheet) -> None:
    from advisor.models.local.model import open_local
    from advisor.models.local.tuning import load_merged

    mark, broken = tmp_path / "mark", 0
    model, adapter = open_local(str(base)), tiny_adapter(base)
    poison = pickle.dumps(Canary(mark))
    for name in PICKLES:
        for whole in (True, False):  # beside the safetensors, and in their place
            for kind, files in (("model", tiny_model_of(base)), ("adapter", adapter)):
                place = tmp_path / f"{kind}-{name}-{whole}"
                place.mkdir()
                for file, content in files.items():
                    if whole or not file.endswith(".safetensors"):
                        (place / file).write_bytes(content)
                (place / name).write_bytes(poison)
                try:
                    _ = open_local(str(place)) if kind == "model" else load_merged(model, place, TuningConfig(layers=1))
                    broken += not whole
                except ModelError:
                    broken += whole
                broken += mark.exists()
    sheet.add("T4", "pickles in folders of models and adapters", 4 * len(PICKLES), broken)
    assert not broken
    pickle.loads(poison)
    assert mark.exists(), "the canary itself must sing"


def tiny_model_of(base: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in base.iterdir()}


def test_code_in_a_models_folder_is_not_run(base: Path, tmp_path: Path, sheet: Sheet) -> None:
    import json

    from advisor.models.local.model import open_local

    mark, broken = tmp_path / "mark", 0
    maps = {
        "config.json": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"},
        "tokenizer_config.json": {"AutoTokenizer": ["evil.T", None]},
    }
    for file, auto_map in maps.items():
        for kind in ({}, {"model_type": "evil"}):
            place = tmp_path / f"{file}{len(kind)}"
            place.mkdir()
            for name, content in tiny_model_of(base).items():
                (place / name).write_bytes(content)
            plain = {**json.loads((place / file).read_text()), **kind, "auto_map": auto_map}
            (place / file).write_text(json.dumps(plain))
            (place / "evil.py").write_text(
                f"import os\nos.mkdir({str(mark)!r})\nclass C: ...\nclass M: ...\nclass T: ...\n"
            )
            try:
                open_local(str(place))
            except ModelError:
                pass
            broken += mark.exists()
    sheet.add("T4", "code beside a model's weights (auto_map)", 4, broken)
    assert not broken


BANNED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "diskcache"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def dangerous(called: str, said: dict[str, str], name: str) -> bool:
    """Return whether a call would run data, by the words of the source."""
    if called in ("torch.load", "torch_load"):
        return said.get("weights_only") != "True"
    if called == "exec":
        return name != "advisor/core/source_modules.py"  # code that was typed or agreed to, and SECURITY.md says so
    if "Auto" in called and called.endswith("from_pretrained") and "gguf_file" not in said:
        return said.get("trust_remote_code") != "False"
    switched_on = {"trust_remote_code", "allow_pickle", "shell"} & {
        key for key, value in said.items() if value != "False"
    }
    return bool(switched_on) or called in ("eval", "os.system", "os.popen", "yaml.unsafe_load", "yaml.full_load")


def test_the_source_runs_no_data(sheet: Sheet) -> None:
    """By the syntax tree: no pickle, no torch.load but of plain weights, no remote code, no eval, no shell."""
    found = []
    for path in SOURCES:
        tree, name = ast.parse(path.read_bytes()), str(path.relative_to(ROOT))
        found += [f"{name}: import {one}" for one in imports(tree) if one.partition(".")[0] in BANNED_MODULES]
        for called, node in calls(tree):
            said = {word.arg: ast.unparse(word.value) for word in node.keywords if word.arg}
            if dangerous(called, said, name):
                found.append(f"{name} line {node.lineno}: {called}")
    sheet.add("T4", "modules free of pickle, remote code, eval and shell", len(SOURCES), len(found))
    assert not found, "\n".join(found)


def test_what_would_run_data_is_found() -> None:
    for line in (
        "torch.load(x)", "torch.load(x, weights_only=False)", "eval(x)", "exec(x)", "np.load(x, allow_pickle=True)", "run(x, shell=True)",
        "AutoModel.from_pretrained(x)", "AutoModel.from_pretrained(x, trust_remote_code=True)", "f(trust_remote_code=flag)",
    ):  # fmt: skip
        [(called, node)] = calls(ast.parse(line))
        assert dangerous(called, {word.arg: ast.unparse(word.value) for word in node.keywords if word.arg}, "x.py"), (
            line
        )


# --- T8: bombs -------------------------------------------------------------------------------------------------------

SAMPLE = (
    "YAML aliases in a comparison",
    "JSON 200,000 deep",
    "Parquet of 400,000 times 200 kB",
    "answer packed with gzip",
)


@pytest.mark.parametrize("name", bombs() if FULL else SAMPLE)
def test_a_bomb_fizzles(name: str, sheet: Sheet) -> None:
    got = child(str(Path(__file__).with_name("bombs.py")), name, seconds=3600)
    good = got["said"] and got["seconds"] < 20 and got["mb"] < 512
    sheet.add("T8", f"bomb: {name}", 1, int(not good), f"{got['seconds']:.2f} s, {got['mb']:.0f} MB")
    assert good, got
