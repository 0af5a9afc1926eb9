"""What docstrings and comments cite is there: files of this repository, and the titles of their sections."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("advisor", "strategies", "evalsets", "reports")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
ENDINGS = "csv|jinja|json|jsonl|md|npz|py|toml|txt|yaml"
THE_USERS = {
    *("evalset.yaml", "train.jsonl", "dev.jsonl", "test.jsonl", "docs.jsonl", "changes.jsonl", "tools.py", "metric.py"),
    *(
        "file.py",
        "nearest.py",
        "strategies.py",
        "mine.py",
        "my.py",
        "my.csv",
        "answers.py",
        "answers.yaml",
        "comparison.yaml",
    ),
    *("config.json", "job.json"),
}
"""Names of files that a user or an eval set has, that come with a model's weights, or that are written on the way."""
_CITED = re.compile(rf"(?<![\w/.*{{-])([\w.-]+/)*[\w.-]+\.(?:{ENDINGS})\b(?![\w/(])")
_SECTION = re.compile(r'(?P<page>[\w./-]+\.md),\s+"(?P<title>[^"]+)"')


def said(path: Path) -> str:
    """Return the docstrings and comments of a file, blanks and line ends between words folded."""
    source = path.read_text(encoding="utf-8")
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr)]
    texts = [node.value.value for node in nodes if isinstance(node.value, ast.Constant)]
    words = [text for text in texts if isinstance(text, str)]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    words += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return "\n".join(" ".join(text.split()) for text in words)


def missing(text: str, beside: Path) -> list[str]:
    """Return the files that a text cites and that are neither in the repository, nor beside it, nor the user's."""
    cited = [found[0] for found in _CITED.finditer(text)]
    return [
        name
        for name in cited
        if name.rpartition("/")[2] not in THE_USERS and not any((at / name).exists() for at in (ROOT, beside))
    ]


def titles(page: Path) -> set[str]:
    """Return the section titles of a page, without their numbers."""
    return set(re.findall(r"^#+ (?:\d+\. )?(.+)$", page.read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_cited_files_and_sections_exist(path: Path) -> None:
    text = said(path)
    assert missing(text, path.parent) == []
    for found in _SECTION.finditer(text):
        assert found["title"] in titles(ROOT / found["page"]), found[0]


def test_what_is_not_there_would_be_found() -> None:
    text = "See decision.md, section 5, docs/nowhere.md, `advisor/stats/power.py`; README.md is here, tools.py yours."
    assert missing(text, ROOT) == ["decision.md", "docs/nowhere.md"]
    assert "Money" in titles(ROOT / "docs" / "method.md")
    assert [found["title"] for found in _SECTION.finditer('(docs/method.md, "No such"), and so on')] == ["No such"]
