"""Papers that tests hand in: real files, because what is taken is looked into."""

import io

import pikepdf
from PIL import Image


def pdf(pages: int = 1) -> bytes:
    """A sound PDF of blank pages."""
    kept = io.BytesIO()
    with pikepdf.new() as document:
        for _ in range(pages):
            document.add_blank_page()
        document.save(kept, static_id=True)
    return kept.getvalue()


def png(width: int = 40, height: int = 20) -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(kept, "PNG")
    return kept.getvalue()


def jpeg(width: int = 40, height: int = 20) -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(kept, "JPEG")
    return kept.getvalue()
