"""A name in an eval set never reaches an importer: what it would have run leaves no trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from tests.small_comparison import write_evalset

VERBS = (["check"], ["compare", "--dry-run"], ["export", "evalset", "-o", "out"])


def hostile(canary: Path) -> list[str]:
    """Names that would write the canary, by modules, by files elsewhere, and by what is no metric."""
    code = f"open({str(canary)!r}, 'w')"
    return [
        f'subprocess:Popen(args=["touch", {json.dumps(str(canary))}])',
        f"pathlib:Path.touch(self={json.dumps(str(canary))})",
        f"builtins:exec(source={json.dumps(code)})",
        f"os:system(command={json.dumps(f'touch {canary}')})",
        "planted:M",
        "sub.planted:M",
        "planted.py:M",
        "sub/planted.py:M",
        "../planted.py:M",
        f"{canary.parent / 'planted.py'}:M",
        "link.py:M",
        "planted.py",
    ]


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_metric_of_a_set_names_nothing_outside(
    verb: list[str], number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    for place in (tmp_path, tmp_path / "sub"):
        place.mkdir(exist_ok=True)
        (place / "planted.py").write_text(f"open({str(canary)!r}, 'w')\n\nclass M:\n    name = 'm'\n")
    folder = write_evalset(tmp_path / "small")
    (folder / "link.py").symlink_to(tmp_path / "planted.py")
    spec = hostile(canary)[number]
    settings = folder / "evalset.yaml"
    lines = [line for line in settings.read_text().splitlines() if not line.startswith("metric:")]
    settings.write_text("\n".join([*lines, f"metric: {json.dumps(spec)}", ""]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    done = CliRunner().invoke(app, [*verb, str(folder)])
    assert done.exit_code != 0
    assert not canary.exists(), spec
    assert "evalset.yaml" in done.output, done.output
