"""Documents for retrieval: one ``docs.jsonl``, or a folder of Markdown, text, HTML and PDF files."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from advisor._util import files
from advisor.core.errors import EvalSetError
from advisor.core.paths import expanded
from advisor.core.types import Document

from .html_text import text_of_html
from .readers import Record, open_text, read_jsonl

MAX_DOCUMENT_BYTES = 50_000_000
MAX_ALL_BYTES = 1_000_000_000
MAX_DOCUMENTS = 100_000
MAX_PAGES = 10_000
ENDINGS = {
    ".md": "text", ".markdown": "text", ".txt": "text", ".html": "html", ".htm": "html", ".pdf": "pdf",
    ".jsonl": "jsonl",
}  # fmt: skip
KINDS = ".md, .txt, .html and .pdf files, or .jsonl with a document a line"


def read_documents(source: str) -> tuple[Document, ...]:
    """Read documents that the user named: a folder, with all below it, or one file.

    Raises:
        EvalSetError: there is nothing there, nothing of a kind that is read, or something that cannot be read.
    """
    path = expanded(source)
    if not files.exists(path):
        raise EvalSetError(f"there are no documents at {source!r}", hint=f"--docs FOLDER, with {KINDS}")
    return read_place(path, source, inside=None)


def read_place(
    path: Path, called: str, *, inside: Path | None, refused: list[str] | None = None
) -> tuple[Document, ...]:
    """Read a file of documents, or a folder with all below it; see `read_documents`.

    Args:
        path: where they are.
        called: what errors call it.
        inside: the folder that nothing may lead out of; `None` where the user named the place.
        refused: collects what is wrong with single documents; `None` raises at the first.
    """
    found: dict[str, Document] = {}
    size = 0
    for file, name in _members(path, called):
        _refuse_way_out(file, inside)
        size += file.stat().st_size if files.exists(file) else 0
        if size > MAX_ALL_BYTES:
            raise EvalSetError(f"{called!r} holds more than {MAX_ALL_BYTES:,} bytes of documents; that many are read")
        for document in _documents(file, name, refused):
            if document.id in found:
                error = EvalSetError(f"{name}: the document id {document.id!r} stands there twice; ids must be unique")
                _refuse(error, refused)
            found.setdefault(document.id, document)
        if len(found) > MAX_DOCUMENTS:
            raise EvalSetError(f"{called!r} holds more than {MAX_DOCUMENTS:,} documents; that many are read at most")
    if not found and not refused:
        a_line = 'write one a line: {"id": "1", "title": "…", "text": "…"}, or delete it'
        alone = path.suffix == ".jsonl"
        raise EvalSetError(f"{called} holds no document", hint=a_line if alone else f"read are {KINDS}")
    return tuple(found.values())


def left_out(folder: Path) -> int:
    """Return how many files of a folder are of no kind that is read."""
    return sum(file.suffix.lower() not in ENDINGS for file in _files(folder))


def _members(path: Path, called: str) -> Iterator[tuple[Path, str]]:
    """Yield files with their names: below a folder by their path in it, sorted, so that every machine has one order."""
    if not path.is_dir():
        if path.suffix.lower() not in ENDINGS:
            raise EvalSetError(f"{called!r} is of no kind that is read as documents", hint=f"read are {KINDS}")
        yield path, path.name
        return
    named = [(file, file.relative_to(path).as_posix()) for file in _files(path) if file.suffix.lower() in ENDINGS]
    yield from sorted(named, key=lambda pair: pair[1])


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, without hidden ones; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _refuse_way_out(file: Path, inside: Path | None) -> None:
    if inside is not None and not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(inside)):
        raise EvalSetError(
            f"{file.name!r} is a link out of the folder {str(inside)!r}, and a set's documents must lie in it",
            hint="put the file itself there, or name its folder: --docs FOLDER",
        )


def _documents(file: Path, name: str, refused: list[str] | None) -> Iterator[Document]:
    kind = ENDINGS[file.suffix.lower()]
    if kind == "jsonl":
        for row in read_jsonl(file, whole_texts=True):
            try:
                yield _of_row(row)
            except EvalSetError as error:
                _refuse(error, refused)
        return
    try:
        title, text = _READERS[kind](file, name)
        if not text.strip():
            raise EvalSetError(f"{name} holds no text", hint=_NO_TEXT.get(kind, "take it out of the folder"))
    except EvalSetError as error:
        _refuse(error, refused)
        return
    yield Document(name, title or PurePosixPath(name).stem, text)


def _refuse(error: EvalSetError, refused: list[str] | None) -> None:
    if refused is None:
        raise error
    refused.append(str(error).partition("\n")[0])


def _of_row(row: Record) -> Document:
    text, title = row.fields.get("text"), row.fields.get("title") or ""
    if not isinstance(text, str) or not text.strip():
        raise row.error("field 'text' is missing or empty", hint='{"id": "1", "title": "…", "text": "…"}')
    return Document(str(row.fields.get("id") or f"doc-{row.line}"), str(title), text)


def _plain_text(file: Path, name: str) -> tuple[str, str]:
    text = "".join(line for _, line in open_text(file, MAX_DOCUMENT_BYTES))
    heading = re.match(r"\s*#{1,6}[ \t]+([^\n]+)", text) if file.suffix.lower() != ".txt" else None
    return heading[1].strip(" #\t") if heading else "", text


def _html(file: Path, name: str) -> tuple[str, str]:
    return text_of_html("".join(line for _, line in open_text(file, MAX_DOCUMENT_BYTES)))


def _pdf(file: Path, name: str) -> tuple[str, str]:
    """Return title and text of a PDF, page by page."""
    try:
        import pypdf
    except ModuleNotFoundError:
        raise EvalSetError(
            f"{name}: reading PDF needs pypdf, which is not installed",
            hint="in the checkout: python -m pip install '.[pdf]'",
        ) from None
    try:
        content = files.read_bounded(file, MAX_DOCUMENT_BYTES)
    except (files.UnusableFileError, OSError) as error:
        raise EvalSetError(f"{name}: {error}") from None
    log = logging.getLogger("pypdf")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)  # it tells on stderr what the reader of a broken file gets as an error
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise EvalSetError(f"{name} is encrypted, and needs a password", hint="take the password off it first")
        if len(reader.pages) > MAX_PAGES:
            raise EvalSetError(f"{name} has {len(reader.pages):,} pages; at most {MAX_PAGES:,} are read")
        pages = [page.extract_text() for page in reader.pages]
        title = str((reader.metadata or {}).get("/Title") or "").strip()
    except EvalSetError:
        raise
    except Exception as error:  # whatever a broken or hostile file makes it stumble over
        said = " ".join(str(error).split())[:200]
        raise EvalSetError(f"{name} cannot be read as PDF: {said or type(error).__name__}") from None
    finally:
        log.setLevel(level)
    return title, "\n\n".join(page.strip() for page in pages).replace("\x00", "")


_READERS = {"text": _plain_text, "html": _html, "pdf": _pdf}
_NO_TEXT = {"pdf": "it may be a scan: make its text with OCR (ocrmypdf), or take it out of the folder"}
