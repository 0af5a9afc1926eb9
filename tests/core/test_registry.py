"""The registry: what a specification may say, where it looks, and how it refuses."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core import registry
from advisor.core.errors import ConfigurationError, RegistryError
from advisor.core.fingerprints import params_of, source_digest
from advisor.core.specs import Spec, recordable

WriteModule = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteModule:
    def written(text: str, name: str = "mine.py") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return written


GOOD = """
    from __future__ import annotations
    from dataclasses import dataclass, field

    @dataclass
    class Constant:
        answer: str = "yes"
        times: int = 1
        name: str = field(default="constant", init=False)

        def fit(self, train, ctx): ...
        def predict(self, inputs): return [self.answer * self.times for _ in inputs]
"""


# --- specifications --------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)


@given(target=NAMES, params=st.dictionaries(NAMES, JSON, max_size=4))
def test_spec_survives_writing_and_reading(target: str, params: dict[str, Any]) -> None:
    read = Spec.parse(str(Spec(target, params)))
    assert (read.target, dict(read.params)) == (target, params)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        assert Spec.parse(text).target


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("few_shot(8)", "name=value"),
        ("few_shot(k=x)", "'k' is not JSON: 'x'"),
        ("few_shot(k=1+1)", "not JSON"),
        ("few_shot(k=NaN)", "not JSON"),
        ("few_shot(k=[1,)", "not JSON"),
        ("few_shot(k=1 m=2)", "not JSON"),
        ("few_shot(k=1, k=2)", "twice"),
        ("few_shot(k=1, 2)", "name=value"),
        ("few_shot(k=__import__('os'))", "not JSON"),
        ("  ", "nothing was given"),
    ],
)
def test_spec_refuses(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says.replace("(", r"\(")):
        Spec.parse(text)


def test_parentheses_in_a_folder_are_no_parameters() -> None:
    assert Spec.parse("runs (1)/mine.py:Mine(k=2)") == Spec("runs (1)/mine.py:Mine", {"k": 2})
    assert Spec.parse("rag()") == Spec("rag", {})


# --- finding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_kind_lists_sorted_unique_names(kind: str) -> None:
    found = [entry.name for entry in registry.names(kind)]
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    "entry", [entry for kind in registry.KINDS for entry in registry.names(kind)], ids=lambda e: f"{e.kind}-{e.name}"
)
def test_every_built_in_points_to_something_documented(entry: registry.Entry) -> None:
    assert not entry.problem
    assert entry.summary, f"{entry.target} has no docstring, or is not there"


def test_listing_imports_nothing() -> None:
    code = (
        "import sys\nfrom advisor.core import registry\n"
        "summaries = [entry.summary for kind in registry.KINDS for entry in registry.names(kind)]\n"
        "heavy = {'torch', 'transformers', 'openai', 'bm25s', 'semantic_text_splitter', 'pandas', 'numpy', 'scipy'}\n"
        "heavy |= {'sklearn', 'altair'}\n"
        "print(sorted(heavy & set(sys.modules)), 'advisor.strategies.floors' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_built_in_is_made() -> None:
    made = registry.make("strategies", "majority")
    assert made.name == "majority"
    assert registry.load("metrics", "exact_match")().name == "exact_match"


def test_unknown_name_gets_the_nearest_and_the_list() -> None:
    with pytest.raises(RegistryError, match=r"no strategy 'few_shots'; did you mean 'few_shot'\? Allowed: .*majority"):
        registry.make("strategies", "few_shots")


def test_unknown_kind() -> None:
    with pytest.raises(RegistryError, match="did you mean 'strategies'"):
        registry.names("strategy")


def test_package_and_class() -> None:
    assert registry.load("strategies", "collections:Counter", origin="user").__name__ == "Counter"
    with pytest.raises(RegistryError, match=r"no_such_package.*ModuleNotFoundError"):
        registry.load("strategies", "no_such_package.module:Class", origin="user")
    with pytest.raises(RegistryError, match="no 'Countr'"):
        registry.load("strategies", "collections:Countr", origin="user")


def test_what_lacks_a_method_is_no_strategy() -> None:
    with pytest.raises(RegistryError, match="is not a strategy: it has no fit and no predict; needed are name"):
        registry.make("strategies", "collections:Counter", origin="user")

    with pytest.raises(RegistryError, match="is not a strategy"):  # before anything is built: Popen would run it
        registry.make("strategies", 'subprocess:Popen(args=["sh", "-c", "exit 1"])', origin="user")


CODE_NAMES = (
    "subprocess:Popen",
    "os:system",
    "builtins:eval",
    "advisor._util.files:write_whole",
    "advisor.core.metrics:ExactMatch",
    "mine.py:M",
    "./mine.py:M",
    "../mine.py:M",
    "/abs/mine.py:M",
    "mine.py",
    "a.b.c:D.e",
)


@pytest.mark.parametrize("kind", registry.KINDS)
def test_a_name_from_data_leads_to_no_code(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to remember it: it is so where `origin` is left out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')")
    imported = set(sys.modules)
    for name in CODE_NAMES:
        for ask in (registry.load, registry.make):
            with pytest.raises(RegistryError, match="is named by data"):
                ask(kind, name)
    with pytest.raises(RegistryError, match="is named by data"):
        registry.make(kind, 'subprocess:Popen(args=["true"])')
    assert not {name for name in set(sys.modules) - imported if "mine" in name}


# --- files -----------------------------------------------------------------------------------------------------------


def test_class_in_a_file_with_postponed_dataclass(write: WriteModule) -> None:
    made = registry.make("strategies", f'{write(GOOD)}:Constant(answer="no", times=2)', origin="user")
    assert made.predict(["a", "b"]) == ["nono", "nono"]
    assert params_of(made) == {"answer": "no", "times": 2}


def test_file_is_loaded_again_after_a_change_only(write: WriteModule) -> None:
    spec = f"{write(GOOD)}:Constant"
    first = registry.load("strategies", spec, origin="user")
    assert registry.load("strategies", spec, origin="user") is first
    write(GOOD.replace('"yes"', '"changed"'))
    assert registry.make("strategies", spec, origin="user").answer == "changed"


def test_failing_file_leaves_no_module_behind(write: WriteModule) -> None:
    before = set(sys.modules)
    path = write("raise ValueError('halfway')")
    with pytest.raises(RegistryError, match="cannot be loaded: ValueError: halfway"):
        registry.load("strategies", f"{path}:Mine", origin="user")
    assert set(sys.modules) == before


def test_interrupt_while_loading_is_not_swallowed(write: WriteModule) -> None:
    before = set(sys.modules)
    with pytest.raises(KeyboardInterrupt):
        registry.load("strategies", f"{write('raise KeyboardInterrupt')}:Mine", origin="user")
    assert set(sys.modules) == before


def test_file_errors_say_what_to_type(write: WriteModule) -> None:
    path = write(GOOD)
    with pytest.raises(RegistryError, match=r"names a file and no class(.|\n)*mine\.py:Constant"):
        registry.load("strategies", str(path), origin="user")
    with pytest.raises(RegistryError, match="no 'Constnt' in it; did you mean 'Constant'"):
        registry.load("strategies", f"{path}:Constnt", origin="user")
    with pytest.raises(RegistryError, match=r"no file(.|\n)*advisor init strategy nowhere\.py"):
        registry.load("strategies", "nowhere.py:Mine", origin="user")
    with pytest.raises(RegistryError, match="SyntaxError"):
        registry.load("strategies", f"{write('class :', 'broken.py')}:Mine", origin="user")


def test_import_of_a_file_beside_it_says_how(write: WriteModule) -> None:
    write("x = 1", "beside_it.py")
    with pytest.raises(RegistryError, match="PYTHONPATH="):
        registry.load("strategies", f"{write('import beside_it')}:Mine", origin="user")


# --- parameters and code, for the record -----------------------------------------------------------------------------


def test_constructor_errors_list_the_parameters(write: WriteModule) -> None:
    path = write(GOOD)
    with pytest.raises(ConfigurationError, match="no parameter 'anser'; did you mean 'answer'"):
        registry.make("strategies", f'{path}:Constant(anser="x")', origin="user")
    with pytest.raises(ConfigurationError, match=r"no parameter 'k'; Allowed: .*nothing"):
        registry.make("strategies", "majority(k=1)")
    strict = write("def Strict(k): raise ValueError('k must be even')", "strict.py")
    with pytest.raises(ConfigurationError, match="k must be even; its parameters are: k"):
        registry.make("strategies", f"{strict}:Strict(k=1)", origin="user")
    with pytest.raises(ConfigurationError, match="missing 1 required"):
        registry.make("strategies", f"{strict}:Strict", origin="user")
    with pytest.raises(RegistryError, match="is a int and cannot be called"):
        registry.make("strategies", f"{write('number = 3', 'number.py')}:number", origin="user")


def test_forgotten_parameter_is_named() -> None:
    class Forgetful:
        def __init__(self, k: int = 3) -> None: ...

    with pytest.raises(RegistryError, match=r"takes the parameter 'k'(.|\n)*self\.k = k"):
        params_of(Forgetful())


def test_recordable_values() -> None:
    @dataclass
    class Inner:
        rate: float = 0.5

    value = {"a": (1, None), "b": Inner(), "c": Path("x"), "d": {3, 1}, "e": len_of}
    assert recordable(value, "it") == {
        "a": [1, None], "b": {"rate": 0.5}, "c": "x", "d": [1, 3], "e": f"{__name__}:len_of",
    }  # fmt: skip
    with pytest.raises(RegistryError, match="it is a object and cannot be recorded"):
        recordable(object(), "it")


def len_of(text: str) -> int:
    return len(text)


def test_digest_follows_the_code(write: WriteModule) -> None:
    spec = f"{write(GOOD)}:Constant"
    first = source_digest(registry.make("strategies", spec, origin="user"))
    assert first == source_digest(registry.make("strategies", f"{spec}(times=5)", origin="user"))
    write(GOOD.replace("self.times", "self.times + 0"))
    assert source_digest(registry.make("strategies", spec, origin="user")) != first


@pytest.mark.parametrize(
    "line", ["import helper", "import helper as h", "from helper import WORD", "from .helper import WORD"]
)
def test_digest_follows_the_files_beside_it_however_they_are_imported(tmp_path: Path, line: str) -> None:
    main, helper = tmp_path / "mine.py", tmp_path / "helper.py"
    main.write_text(f"{textwrap.dedent(GOOD)}\n\ndef later():\n    {line}\n", encoding="utf-8")
    digests = set()
    for word in ("yes", "no"):
        helper.write_text(f"WORD = {word!r}\n", encoding="utf-8")
        digests.add(source_digest(registry.make("strategies", f"{main}:Constant", origin="user")))
    assert len(digests) == 2


def test_digest_of_built_ins_follows_what_they_share() -> None:
    digests = {name: source_digest(registry.make("strategies", name)) for name in ("majority", "zero_shot")}
    assert len(set(digests.values())) == 2


def test_digest_of_a_class_without_a_file() -> None:
    def made(code: str) -> object:
        space: dict[str, Any] = {"__name__": "nowhere_at_all"}
        exec(code, space)
        return space["Mine"]()

    code = "class Mine:\n    rate = 1\n    def predict(self, inputs):\n        return [str(i) + 'x' for i in inputs]"
    assert source_digest(made(code)) == source_digest(made("\n\n" + code))
    for old, new in (("'x'", "'y'"), ("str(i)", "repr(i)"), ("rate = 1", "rate = 2")):
        assert source_digest(made(code)) != source_digest(made(code.replace(old, new)))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("name = 3", "its name is 3; a text is needed"),
        ("name = 'x'\n    def __init__(self): 1 / 0", "cannot be built: ZeroDivisionError: division by zero"),
    ],
)
def test_a_strategy_that_cannot_be_built_is_one_sentence(tmp_path: Path, body: str, message: str) -> None:
    path = tmp_path / "odd.py"
    methods = "    def fit(self, train, ctx): pass\n    def predict(self, inputs): return []\n"
    path.write_text(f"class Odd:\n    {body}\n{methods}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        registry.make("strategies", f"{path}:Odd", origin="user")
