"""A stored comparison with its runs as one file, to be read on another machine: a zip of two JSON files.

The file may come from anybody. Nothing of it is unpacked to disk and no name in it is used as a path; sizes are limited
before anything is read, and what is read must have the shape of a comparison.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor._util.files import UnusableFileError, read_bounded, write_whole
from advisor.core.errors import ConfigurationError, StoreError
from advisor.runs.store import SCHEMA_VERSION
from advisor.runs.stored import comparison_of, text_of

if TYPE_CHECKING:
    from advisor.decision.comparison import Comparison

FORMAT = "tuneworthy comparison"
MANIFEST, CONTENT = "manifest.json", "comparison.json"
LARGEST_BYTES = 64_000_000
"""Of the content, unpacked; and of the file itself."""
MOST_VALUES = 4_000_000
MOST_PACKED = 300
"""How many times larger than packed the content may be; JSON of a comparison is about 20 times."""
_LARGEST_MANIFEST = 10_000
_ID = re.compile(r"[0-9a-f]{8,64}")


def write(comparison: Comparison, path: Path) -> None:
    """Write a comparison with its runs and all their outcomes to `path`, in one step.

    Raises:
        BrokenPipeError: nobody reads the pipe that it is written to.
        StoreError: it cannot be written, or is larger than could be read again.
    """
    content = text_of(type(comparison), comparison).encode()
    if len(content) > LARGEST_BYTES or _values(content) > MOST_VALUES:
        raise StoreError(f"the comparison has {len(content):,} bytes; at most {LARGEST_BYTES:,} fit into a file")
    manifest = {"format": FORMAT, "version": SCHEMA_VERSION, "sha256": hashlib.sha256(content).hexdigest()}
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(MANIFEST), json.dumps(manifest))
        archive.writestr(zipfile.ZipInfo(CONTENT), content, zipfile.ZIP_DEFLATED)
    if text_of(type(comparison), comparison_of(json.loads(_content(packed)))).encode() != content:
        raise StoreError("the comparison would not be read back as it is; nothing was written")
    try:
        write_whole(path, packed.getvalue())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StoreError(
            f"the file {str(path)!r} cannot be written: {error.strerror or error}", hint="choose another place with -o"
        ) from error


def read(path: Path) -> Comparison:
    """Return the comparison that a file holds.

    Raises:
        ConfigurationError: there is no such file, or it is not what `advisor export run` writes.
    """
    from pydantic import ValidationError

    try:
        content = _content(BytesIO(read_bounded(path, LARGEST_BYTES)))
        found = comparison_of(json.loads(content))
    except FileNotFoundError:
        raise ConfigurationError(f"there is no file {str(path)!r}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _refused(path, f"its content is no comparison ({where[:100] or 'all of it'}: {first['msg']})") from None
    except (UnusableFileError, zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise _refused(path, str(error)) from None
    except Exception as error:
        if type(error).__module__ != "zlib":
            raise
        raise _refused(path, "it is damaged") from None
    ids = [found.id, *(run.id for run in found.runs)]
    if not all(_ID.fullmatch(one) for one in ids) or len(set(ids)) < len(ids):
        raise _refused(path, "the ids in it are not ours")
    return found


def _content(file: BytesIO) -> bytes:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        names = sorted(entry.filename for entry in entries)
        if names != sorted((MANIFEST, CONTENT)):
            raise ValueError(f"it holds {len(names)} files; {MANIFEST} and {CONTENT} are expected, and nothing else")
        manifest: Any = json.loads(_member(archive, MANIFEST, _LARGEST_MANIFEST))
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise ValueError(f"its {MANIFEST} is not of a {FORMAT}")
        version = manifest.get("version")
        if not isinstance(version, int) or version > SCHEMA_VERSION:
            raise ValueError("a newer tuneworthy wrote it; update the checkout (git pull)")
        content = _member(archive, CONTENT, LARGEST_BYTES)
    if hashlib.sha256(content).hexdigest() != manifest.get("sha256"):
        raise ValueError("its content was changed or damaged after it was written")
    if _values(content) > MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values")
    return content


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    entry = archive.getinfo(name)
    if entry.file_size > limit or entry.file_size > MOST_PACKED * max(1, entry.compress_size) + _LARGEST_MANIFEST:
        raise ValueError(f"{name} would unpack to {entry.file_size:,} bytes; that is too much")
    with archive.open(entry) as file:
        found = file.read(limit + 1)
    if len(found) > limit:
        raise ValueError(f"{name} unpacks to more than {limit:,} bytes")
    return found


def _values(content: bytes) -> int:
    return content.count(b",") + content.count(b"[") + content.count(b"{")


def _refused(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the file {str(path)!r} cannot be imported: {why}",
        hint="a file that can is written by: advisor export run -o FILE",
    )
