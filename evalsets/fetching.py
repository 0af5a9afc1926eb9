"""Files from the network: over https only, bounded in size, checked by SHA-256, cached, whole or not there at all."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import os
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from advisor.core.errors import EvalSetError
from advisor.core.paths import cache
from advisor.core.progress import Progress, silent

MAX_BYTES = 200_000_000
TIMEOUT_SECONDS = 60.0
_PIECE = 1 << 18
_HERE = ("127.0.0.1", "::1", "localhost")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
UNPINNED = "checksum not pinned yet, recorded at first fetch"


class _SameRules(urllib.request.HTTPRedirectHandler):
    """Holds where a server sends us on to the rules for the address itself, and keeps it out of this network."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Follow, unless the new address is refused."""
        validate_address(newurl)
        refuse_inward(req.full_url, newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def validate_address(url: str) -> None:
    """Refuse what is not https; plain http is allowed to this machine only.

    Raises:
        EvalSetError: says what is allowed.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE):
        return
    raise EvalSetError(f"{url[:200]!r} is not fetched: https:// is needed")


def refuse_inward(url: str, onward: str) -> None:
    """Refuse a redirect to this machine or a private network, unless it stays on a host that is there itself.

    Raises:
        EvalSetError: says where the redirect leads.
    """
    sender, receiver = (urllib.parse.urlsplit(each).hostname or "" for each in (url, onward))
    inward = [address for address in _addresses(receiver) if not _is_public(address)]
    if not inward or (sender == receiver and not all(map(_is_public, _addresses(sender)))):
        return
    raise EvalSetError(
        f"{url[:200]} redirects to {receiver[:200]!r} ({inward[0]}), which is not a public address; it is not followed",
        hint="type that address yourself if you mean it",
    )


def _addresses(host: str) -> list[_Ip]:
    """Return what a host name, or any spelling of an address, stands for; nothing where it is unknown here."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _is_public(address: _Ip) -> bool:
    """Say whether an address, or the IPv4 address that it carries, is one of the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64 or int(address) >> 32 == 0:  # the second: `::a.b.c.d`
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried:
            return _is_public(carried)
    return address.is_global and not address.is_multicast


def offline() -> bool:
    """Say whether the network is switched off (``--offline``, ``ADVISOR_OFFLINE``, ``HF_HUB_OFFLINE``)."""
    return any(
        os.environ.get(name, "").lower() in ("1", "true", "yes") for name in ("ADVISOR_OFFLINE", "HF_HUB_OFFLINE")
    )


def fetch(url: str, *, sha256: str = "", limit_bytes: int = MAX_BYTES, progress: Progress = silent) -> tuple[Path, str]:
    """Return the file behind `url` and a sentence on its checksum; it is fetched once and kept under ``ADVISOR_CACHE``.

    Without `sha256` the checksum of the first fetch is recorded, and the file is held to that afterwards.

    Raises:
        EvalSetError: not https, offline and not at hand, not reachable, too large, or not what the checksum says.
    """
    validate_address(url)
    folder = cache() / "data" / hashlib.sha256(url.encode()).hexdigest()[:16]
    name = Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).name or "file"
    target, record = folder / name, folder / f"{name}.sha256"
    if target.exists() or offline():
        return _held(url, target, record, sha256, limit_bytes, progress)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        return _held(url, target, record, sha256, limit_bytes, progress)


def _held(url: str, target: Path, record: Path, sha256: str, limit_bytes: int, progress: Progress) -> tuple[Path, str]:
    """`fetch`, by the one process that has the lock."""
    name = target.name
    wanted = sha256 or (record.read_text().strip() if record.exists() else "")
    if target.exists():
        found = _digest(target)
        if not wanted:  # a file is whole or not there: what is lost is its record alone
            record.write_text(f"{found}\n")
            return target, f"{name}: its recorded checksum was lost and is recorded anew ({found[:16]})"
        if found == wanted:
            return target, _told(name, found, sha256)
        target.unlink()
        if not sha256:
            record.unlink(missing_ok=True)
            raise EvalSetError(
                f"{name} in the cache is not what was fetched from {url}: its checksum has changed",
                hint="it was taken out of the cache; type the same command again to fetch it anew",
            )
    if offline():
        raise EvalSetError(
            f"{name} is not in the cache, and the network is switched off",
            hint="leave out --offline once, or set ADVISOR_DATA_MIRROR to a folder with a copy",
        )
    found = _download(url, target, limit_bytes, progress)
    if sha256 and found != sha256:
        target.unlink()
        raise EvalSetError(f"{name} from {url} has the checksum {found}; {sha256} is wanted. It was not kept")
    record.write_text(f"{found}\n")
    return target, _told(name, found, sha256)


def _told(name: str, found: str, pinned: str) -> str:
    return "" if pinned else f"{name}: {UNPINNED} ({found[:16]})"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, target: Path, limit_bytes: int, progress: Progress) -> str:
    draft = target.with_name(f".{target.name}.part")  # one process at a time, which also takes over what was left
    summed = hashlib.sha256()
    done = 0
    try:
        with _open(url) as answer, draft.open("wb") as file:
            size = int(answer.headers.get("Content-Length") or 0)
            while piece := answer.read(_PIECE):
                done += len(piece)
                if max(done, size) > limit_bytes:
                    raise EvalSetError(f"{target.name} from {url} is larger than {limit_bytes:,} bytes; it is not read")
                summed.update(piece)
                file.write(piece)
                progress(f"fetching {target.name}", done, max(size, done))
            if size and done != size:
                raise EvalSetError(f"{target.name}: {done:,} of {size:,} bytes came; type the same command again")
        os.replace(draft, target)
    except (OSError, http.client.HTTPException) as error:
        raise EvalSetError(f"{url} cannot be fetched: {_reason(error)}", hint=_MIRROR_HINT) from error
    finally:
        draft.unlink(missing_ok=True)
    return summed.hexdigest()


_MIRROR_HINT = "without a network: set ADVISOR_DATA_MIRROR to a folder with a copy of the eval set"


def _open(url: str, headers: Mapping[str, str] | None = None) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "tuneworthy", **(headers or {})})
    return urllib.request.build_opener(_SameRules).open(request, timeout=TIMEOUT_SECONDS)


def _reason(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code}"
    return str(getattr(error, "reason", "") or getattr(error, "strerror", "") or error)


def fetch_json(url: str, *, limit_bytes: int = 20_000_000) -> Any:
    """Return a JSON answer, never cached.

    Raises:
        EvalSetError: as `fetch`.
    """
    import json

    validate_address(url)
    if offline():
        raise EvalSetError(f"{url} is not asked: the network is switched off", hint="leave out --offline")
    try:
        with _open(url) as answer:
            text = answer.read(limit_bytes + 1)
        if len(text) > limit_bytes:
            raise EvalSetError(f"{url} answers with more than {limit_bytes:,} bytes")
        return json.loads(text)
    except (OSError, http.client.HTTPException) as error:
        raise EvalSetError(f"{url} cannot be fetched: {_reason(error)}", hint=_MIRROR_HINT) from error
    except ValueError:
        raise EvalSetError(f"{url} does not answer with JSON") from None
