"""What a file really is, looked into by a process that may do nothing else: `python -m backoffice.core.inspection < file`.

Reading a hostile file is the dangerous part of taking one, so it happens in a child with bounded memory, time and no place to
write (uploads.py starts it). It prints one JSON line, {"content_type", "extension", "size"} and then the bytes to keep, or
{"reason", "fix"}. Images are drawn anew, which leaves behind everything that is not picture: scripts, hidden files, places
where a photograph was taken. A PDF is kept byte for byte, so that signatures in it stay valid, or refused.
"""

import io
import json
import resource
import sys
import warnings
import zipfile

import pikepdf
from PIL import Image, ImageOps, UnidentifiedImageError

from backoffice.core.uploads import SECONDS, SafeFile

MEMORY = 768 * 1024 * 1024  # bytes of address space
LARGEST_PICTURE = 60_000_000  # pixels: a sheet at 600 dpi has 35 million
Image.MAX_IMAGE_PIXELS = None  # Pillow's own bound is wider, and would call a large scan damaged
MOST_PAGES = 500
MOST_OBJECTS = 200_000
_FLATE = 64 * 1024 * 1024  # bytes one compressed part of a PDF may unfold to
_EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-" + b"TEST-FILE!$H+H*"

# Keys under which a PDF acts or carries, ISO 32000-1 sections 7.11.4, 12.6.4 and 12.7; each with what it is to a reader.
_ACTIVE = {
    "/JS": "a script", "/JavaScript": "a script", "/Launch": "a command", "/EmbeddedFile": "another file inside",
    "/EmbeddedFiles": "another file inside", "/FileAttachment": "another file inside", "/RichMedia": "media that play",
    "/Movie": "media that play", "/Sound": "media that play", "/Rendition": "media that play",
    "/XFA": "a form with a program in it", "/SubmitForm": "a form that sends itself away",
    "/ImportData": "a form that reads other files",
    "/GoToE": "a jump into another file", "/GoToR": "a jump into another file", "/3D": "a model that runs a program",
}  # fmt: skip
# Packings of any content, not of pictures alone, ISO 32000-1 section 7.4.
_UNFOLDED = {"/FlateDecode", "/LZWDecode", "/RunLengthDecode", "/ASCIIHexDecode", "/ASCII85Decode"}


class Unsafe(Exception):
    """The file is not taken. `reason` and `fix` are sentences for the person who chose it."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason, self.fix = reason, fix


def examine(content: bytes) -> SafeFile:
    """Return what may be kept of a file, or raise Unsafe. What it is, is decided by its content, never by a name."""
    if not content.strip(b"\0"):
        raise Unsafe("The file is empty.", "Choose another.")
    if _EICAR in content:
        raise Unsafe("The file is the test file of virus scanners.", "Choose the document itself.")
    if content.startswith(b"%PDF-"):
        return _pdf(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _picture(content, "PNG", "image/png", ".png")
    if content.startswith(b"\xff\xd8\xff"):
        return _picture(content, "JPEG", "image/jpeg", ".jpg")
    raise Unsafe(
        "The file is neither PDF, PNG nor JPEG.", "Save it as one of these; the name alone does not make it one."
    )


def _pdf(content: bytes) -> SafeFile:
    if not content.rstrip(b"\0\r\n\t ").endswith(b"%%EOF"):
        raise Unsafe(
            "The PDF is cut short, or something is hidden behind its end.", "Print it to a new PDF and choose that."
        )
    if _is_archive_too(content):
        raise Unsafe("The PDF contains another file inside.", "Print it to a new PDF, which leaves that behind.")
    try:
        with pikepdf.open(io.BytesIO(content), attempt_recovery=False) as document:
            _look_through(document)
    except pikepdf.PasswordError:
        raise Unsafe(
            "The PDF is locked with a password, so nobody at IBKR could read it.", "Save it without a password."
        ) from None
    except (pikepdf.PdfError, RecursionError, ValueError, OverflowError):
        raise Unsafe(
            "The PDF is damaged, or unfolds to far more than a document does.", "Print it to a new PDF and choose that."
        ) from None
    return SafeFile(content, "application/pdf", ".pdf")


def _is_archive_too(content: bytes) -> bool:
    """Tell whether an unpacker finds files in it. Archives are read from their end, so one may follow a sound PDF, up to
    a last comment that reads "%%EOF".
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return bool(archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return False


def _look_through(document: pikepdf.Pdf) -> None:
    if document.is_encrypted:
        raise Unsafe("The PDF is locked, so nobody at IBKR could use it.", "Save it without protection.")
    if len(document.objects) > MOST_OBJECTS or len(document.pages) > MOST_PAGES:
        raise Unsafe(f"The PDF has more than {MOST_PAGES} pages.", "Send the pages that are asked for.")
    if not document.pages:
        raise Unsafe("The PDF has no page.", "Choose another.")
    for each in document.objects:
        _look_at(each)
        if isinstance(each, pikepdf.Stream):
            _unfold(each)


def _unfold(stream: pikepdf.Stream) -> None:
    """Unfold what a reader would, within the bounds that `main` gives: PdfError for more. What only pictures are packed
    in (JPEG, fax) is bounded by the points the picture says it has.
    """
    if stream.get("/Subtype") == pikepdf.Name.Image:
        width, height = int(stream.get("/Width", 0)), int(stream.get("/Height", 0))
        if width * height > LARGEST_PICTURE:
            raise Unsafe(f"A picture in the PDF has {width} by {height} points.", "Scan it at 300 dpi or less.")
        if not {str(name) for name in _filters(stream)} <= _UNFOLDED:
            return
    stream.read_bytes(pikepdf.StreamDecodeLevel.specialized)


def _filters(stream: pikepdf.Stream) -> list[pikepdf.Object]:
    named = stream.get("/Filter", pikepdf.Array([]))
    return list(named) if isinstance(named, pikepdf.Array) else [named]


def _look_at(top: pikepdf.Object) -> None:
    """Find what acts in one object and everything written inside it; what it refers to has its own turn."""
    waiting = [top]
    while waiting:
        here = waiting.pop()
        if isinstance(here, pikepdf.Stream):
            here = here.stream_dict
        if isinstance(here, pikepdf.Dictionary):
            for key, value in here.items():
                _refuse_if_active(str(key))
                if isinstance(value, pikepdf.Name):
                    _refuse_if_active(str(value))
                elif not getattr(value, "is_indirect", False):
                    waiting.append(value)
        elif isinstance(here, pikepdf.Array):
            waiting += [each for each in here if not getattr(each, "is_indirect", False)]


def _refuse_if_active(name: str) -> None:
    if name in _ACTIVE:
        raise Unsafe(f"The PDF contains {_ACTIVE[name]}.", "Print it to a new PDF, which leaves that behind.")


def _picture(content: bytes, kind: str, content_type: str, extension: str) -> SafeFile:
    try:
        with Image.open(io.BytesIO(content), formats=[kind]) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                raise Unsafe(
                    f"The picture has {picture.width} by {picture.height} points.", "Scan it at 300 dpi or less."
                )
            picture.load()
            drawn = ImageOps.exif_transpose(picture)
            kept = io.BytesIO()
            if kind == "JPEG":
                drawn.convert("L" if drawn.mode == "L" else "RGB").save(kept, kind, quality=92, exif=b"")
            else:
                _without_notes(drawn).save(kept, kind)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, MemoryError):
        raise Unsafe("The picture is damaged, or not a picture.", "Scan or photograph it again.") from None
    return SafeFile(kept.getvalue(), content_type, extension)


def _without_notes(picture: Image.Image) -> Image.Image:
    """A copy with the points alone: no texts, no profile, no further frames."""
    mode = picture.mode if picture.mode in {"1", "L", "LA", "RGB", "RGBA", "I;16"} else "RGBA"
    bare = Image.new(mode, picture.size)
    bare.paste(picture.convert(mode))
    return bare


def main() -> None:
    """Bound this process, then look. Being killed by a bound is an answer too: uploads.py reads it as a refusal."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pikepdf.settings.set_qpdf_limits(flate_max_memory=_FLATE, png_max_memory=_FLATE, run_length_max_memory=_FLATE)
    warnings.simplefilter("ignore")
    try:
        found = examine(sys.stdin.buffer.read())
    except Unsafe as unsafe:
        sys.stdout.write(json.dumps({"reason": unsafe.reason, "fix": unsafe.fix}) + "\n")
        return
    head = {"content_type": found.content_type, "extension": found.extension, "size": len(found.content)}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + found.content)


if __name__ == "__main__":
    main()
