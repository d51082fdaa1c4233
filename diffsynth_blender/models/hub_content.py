"""What a hub says of a file before a byte of it is fetched."""

import re
from dataclasses import dataclass

import httpx2
from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.utils import build_hf_headers

from .errors import DownloadError
from .hub_patience import patiently

TIMEOUT = 20.0
"""Without a byte [s]."""


@dataclass(frozen=True)
class HubFile:
    """What is wanted."""

    repository: str
    name: str
    revision: str | None = None
    """Commit, tag or branch; None for the newest."""
    size: int | None = None
    """[bytes], where it is known."""
    sha256: str | None = None
    """Where it is known."""

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.repository}/{self.name}"


@dataclass(frozen=True)
class Hub:
    """Where from."""

    endpoint: str | None = None
    """URL of a mirror; None for what HF_ENDPOINT says, else the public hub."""
    token: str | None = None
    """For repositories that ask for one; None for what HF_TOKEN or the hub's own log-in says."""
    first_wait: float = 1.0
    """[s] after a failure; each further wait in a row is twice as long."""


@dataclass(frozen=True)
class Content:
    """What the hub says a file is."""

    url: str
    headers: dict[str, str]
    tag: str
    size: int


def ask(file: HubFile, hub: Hub) -> Content:
    """Ask the hub for a file's tag and size. Raises DownloadError where it does not tell."""
    url = hf_hub_url(file.repository, file.name, revision=file.revision, endpoint=hub.endpoint)
    # Tokens given here, else the hub's own ways; "identity", or sizes and ranges would be those of something packed.
    headers = build_hf_headers(token=hub.token or None) | {"accept-encoding": "identity"}
    metadata = patiently(
        lambda: get_hf_file_metadata(url, token=hub.token or None, endpoint=hub.endpoint, timeout=TIMEOUT),
        file.label,
        first_wait=hub.first_wait,
    )
    if metadata.etag is None or metadata.size is None:
        raise DownloadError(
            f"{file.label}: the server tells neither tag nor size; is {httpx2.URL(url).host} a model hub?"
        )
    return Content(url, headers, metadata.etag, metadata.size)


def check(file: HubFile, content: Content) -> None:
    """Refuse what is not the listed file before a byte of it is fetched."""
    is_other = file.size not in (None, content.size)
    if file.sha256 is not None and is_sha256(content.tag):
        is_other |= content.tag != file.sha256
    if is_other:
        raise DownloadError(
            f"{file.label}: the hub has another file than the one that is listed; use another mirror, or import the "
            "file by its path"
        )


def is_sha256(tag: str) -> bool:
    """Whether a tag is the hash of the content, as it is for large files."""
    return re.fullmatch(r"[0-9a-f]{64}", tag) is not None
