"""Files that IBKR sends packed: a ZIP of PDFs or a single PDF, unpacked in memory without trusting any of it.

A name from an archive is never used as a path: only its last part is kept, and one that tries to lead elsewhere condemns
the whole archive. Sizes are counted while unpacking, not believed from the directory.
"""

import zipfile
from base64 import b64decode
from binascii import Error as NotBase64
from io import BytesIO
from zlib import error as Damaged  # noqa: N812 - an exception by any other name

LARGEST_FILE = 25 * 1024 * 1024
LARGEST_TOTAL = 200 * 1024 * 1024
MOST_FILES = 2_000
MIME_TYPES = {"pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}
_ENCRYPTED = 0x1
_SYMLINK = 0o120000


class BadArchive(ValueError):
    """The packed files cannot be trusted or read."""


def decoded(data: object) -> bytes:
    """Return the bytes of base64 text. Raises BadArchive."""
    if not isinstance(data, str):
        raise BadArchive("The file is not text in base64.")
    try:
        return b64decode("".join(data.split()), validate=True)
    except (NotBase64, ValueError) as problem:
        raise BadArchive("The file is not proper base64.") from problem


def unpacked(name: str, content: bytes) -> dict[str, bytes]:
    """Return the files in `content` by name: those of a ZIP, or the one file itself. Raises BadArchive."""
    if content.startswith(b"PK"):
        return _from_zip(content)
    if len(content) > LARGEST_FILE:
        raise BadArchive("The file is larger than allowed.")
    return {plain_name(name): content}


def mime_type(name: str) -> str:
    """Return what kind of file a name promises."""
    return MIME_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")


def plain_name(name: str) -> str:
    """Return the last part of a name in an archive. Raises BadArchive for one that leads out of it."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name or ":" in name or not parts[-1].strip(" ."):
        raise BadArchive(f"The archive holds a file with an unsafe name: {name!r}.")
    return parts[-1]


def _from_zip(content: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MOST_FILES:
                raise BadArchive("The archive holds more files than allowed.")
            for entry in entries:
                name = plain_name(entry.filename)
                if entry.flag_bits & _ENCRYPTED or (entry.external_attr >> 16) & 0o170000 == _SYMLINK:
                    raise BadArchive(f"The archive holds something that is not a plain file: {name!r}.")
                if name in files:
                    raise BadArchive(f"The archive holds {name!r} twice.")
                with archive.open(entry) as packed:
                    read = packed.read(min(LARGEST_FILE, LARGEST_TOTAL - total) + 1)
                total += len(read)
                if len(read) > LARGEST_FILE or total > LARGEST_TOTAL:
                    raise BadArchive("The archive is larger unpacked than allowed.")
                files[name] = read
    except (
        zipfile.BadZipFile,
        ValueError,
        zipfile.LargeZipFile,
        NotImplementedError,
        EOFError,
        OSError,
        Damaged,
    ) as problem:
        raise BadArchive(f"The archive cannot be read: {problem}") from problem
    return files
