from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import advisor
from advisor.core import registry
from advisor.core.shipped import shipped
from advisor.core.types import Task
from advisor.testing.toy_task import toy_evalset

BUILT_INS = sorted(shipped("strategies").BUILT_INS["strategies"])
KINDS = {"floor", "prompting", "rag", "tools", "fine_tuning", "classifier"}


@pytest.mark.parametrize("name", BUILT_INS)
def test_every_built_in_passes_the_contract(name: Any) -> None:
    report = advisor.check_strategy(name)
    assert report.passed, str(report)


@pytest.mark.parametrize("name", BUILT_INS)
def test_every_built_in_names_itself_as_it_is_registered(name: Any) -> None:
    cls = registry.load("strategies", name)
    assert cls.name == name
    assert cls.kind in KINDS
    assert isinstance(cls.stochastic, bool)
    assert cls.stochastic == (cls.kind == "fine_tuning")
    assert cls.__doc__


def test_hybrids_count_as_fine_tuning() -> None:
    assert {name for name in BUILT_INS if registry.load("strategies", name).kind == "fine_tuning"} == {
        "fine_tuning",
        "fine_tuning_rag",
        "fine_tuning_tools",
    }


@pytest.mark.parametrize(
    ("name", "variant", "reason"),
    [
        ("function_calling", "plain", "the task has no tools"),
        ("fine_tuning_tools", "plain", "the task has no tools"),
        ("function_calling", "tools", ""),
        ("embedding_classifier", "plain", ""),
    ],
)
def test_applies_gives_the_reason(name: str, variant: str, reason: str) -> None:
    assert registry.make("strategies", name).applies(Task.of(toy_evalset(variant))) == reason


def test_the_classifier_needs_labels() -> None:
    task = Task("free", "Summarise.", "chrf")
    assert registry.make("strategies", "embedding_classifier").applies(task) == "the task has no labels"


def test_loading_the_classes_imports_no_heavy_package() -> None:
    code = (
        "import sys; from advisor.core import registry\n"
        f"for name in {BUILT_INS!r}: registry.load('strategies', name)\n"
        "heavy = {'torch', 'bm25s', 'semantic_text_splitter', 'sklearn', 'openai', 'transformers'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
