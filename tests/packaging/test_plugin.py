"""A real plug-in distribution, found by its entry points; the same rules for its mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

Answer = tuple[int, str, str]
Ask = Callable[..., Answer]


@pytest.fixture
def advise(run: Any, tmp_path: Path, plugin: Path) -> Ask:
    """``advisor ...`` where the plug-in is installed."""

    def run_it(*arguments: str) -> Answer:
        done = run("-m", "advisor", *arguments, cwd=tmp_path, paths=(ROOT, plugin))
        return done.returncode, done.stdout, done.stderr

    return run_it


@pytest.fixture
def ask(run: Any, tmp_path: Path, plugin: Path) -> Ask:
    """Python where the plug-in is installed."""

    def run_it(code: str) -> Answer:
        imports = "from advisor.core import registry\nfrom advisor.core.fingerprints import params_of"
        done = run("-c", f"{imports}\n{code}", cwd=tmp_path, paths=(ROOT, plugin))
        return done.returncode, done.stdout, done.stderr

    return run_it


def test_plugin_is_listed_beside_the_built_ins(advise: Ask) -> None:
    code, out, err = advise("list", "strategies", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["last_word"]["description"] == "from tuneworthy-plugin-for-tests"
    assert "few_shot" in rows
    assert "broken" not in rows
    assert "'broken' of tuneworthy-plugin-for-tests is left out" in err
    assert "module_that_is_not_there" in err


def test_listing_imports_no_plugin(ask: Ask) -> None:
    code, out, _ = ask("import sys; registry.names('strategies'); print('last_word' in sys.modules)")
    assert (code, out.strip()) == (0, "False")


def test_plugin_is_made_with_parameters(ask: Ask) -> None:
    code, out, err = ask(
        "made = registry.make('strategies', 'last_word(upper=true)')\n"
        "print(type(made).__module__, params_of(made), registry.make('metrics', 'same_length').name)",
    )
    assert (code, out.strip()) == (0, "last_word {'upper': True} same_length"), err


def test_plugin_keeps_the_contract(ask: Ask) -> None:
    code, _, err = ask("import advisor; advisor.check_strategy('last_word').raise_for_failures()")
    assert code == 0, err


def test_clash_names_both_distributions(ask: Ask) -> None:
    code, _, err = ask("registry.make('strategies', 'majority')")
    assert code != 0
    assert "'tuneworthy' and 'tuneworthy-plugin-for-tests'" in err


def test_broken_plugin_is_fatal_only_when_asked_for(ask: Ask) -> None:
    for name, reason in (("raising", "this plug-in cannot be imported"), ("broken", "is not installed")):
        code, _, err = ask(f"registry.load('strategies', {name!r})")
        assert code != 0
        assert "RegistryError" in err
        assert reason in err
        assert "tuneworthy-plugin-for-tests" in err
