"""Z08: files that people hand in. Each hostile file is refused with a sentence; what is kept is what was looked at."""

import io
import random
import struct
import uuid
import zipfile
import zlib
from collections.abc import Iterator

import pikepdf
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image, PngImagePlugin

from backoffice.audit.models import Entry
from backoffice.core import uploads
from backoffice.core.errors import InvalidInput
from backoffice.core.inspection import Unsafe, examine
from backoffice.journal.models import Evidence
from clients.models import Document
from tests import papers
from tests.test_authorisation import firm
from tests.two_books import OWN, Firm

__all__ = ["firm"]


def acting_pdf(key: str, inside: object) -> bytes:
    """A sound PDF whose catalogue does something on its own."""
    kept = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf())) as document:
        document.Root[key] = inside
        document.save(kept)
    return kept.getvalue()


def action(kind: str, **more: object) -> pikepdf.Dictionary:
    return pikepdf.Dictionary(S=pikepdf.Name(f"/{kind}"), **more)


def pdf_with_file_inside() -> bytes:
    kept = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf())) as document:
        document.attachments["tool.exe"] = b"MZ"
        document.save(kept, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return kept.getvalue()


def locked_pdf() -> bytes:
    kept = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf())) as document:
        document.save(kept, encryption=pikepdf.Encryption(user="u", owner="o"))
    return kept.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG whose head promises so many points and whose body is a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def zipped(name: str, content: bytes) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return kept.getvalue()


SCRIPTS = [
    acting_pdf("/OpenAction", action("JavaScript", JS="app.alert(1)")),
    acting_pdf("/OpenAction", action("Launch", F="cmd.exe")),
    acting_pdf("/AA", pikepdf.Dictionary(WC=action("JavaScript", JS="1"))),
    acting_pdf("/OpenAction", action("SubmitForm", F="https://collector.example/")),
    acting_pdf("/OpenAction", action("GoToE", T=pikepdf.Dictionary())),
    acting_pdf("/OpenAction", action("GoToR", F="\\\\server\\share")),
    acting_pdf("/OpenAction", action("ImportData", F="x.fdf")),
    acting_pdf("/OpenAction", action("Rendition")),
    acting_pdf("/AcroForm", pikepdf.Dictionary(XFA="<xdp/>")),
    acting_pdf("/Names", pikepdf.Dictionary(JavaScript=pikepdf.Dictionary(Names=[]))),
    pdf_with_file_inside(),
]
OTHER_KINDS = [
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaa'>]><svg/>",
    b"<html><script>alert(1)</script></html>",
    b"MZ\x90\0 a program",
    b"\x7fELF a program",
    b"#!/bin/sh\nrm -rf /",
    b"GIF89a" + b"\0" * 40,
    b"RIFF\0\0\0\0WEBPVP8 ",
    b"BM" + b"\0" * 60,
    b"{\\rtf1 hello}",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100,
    zipped("word/document.xml", b"<w/>"),
    zipped("bomb", b"\0" * 10_000_000),
    b" %PDF-1.7\n%%EOF",
    b"\xef\xbb\xbf%PDF-1.7\n%%EOF",
    b"",
    b"\0" * 1000,
]
POLYGLOTS = [
    papers.pdf() + zipped("x.exe", b"MZ"),
    papers.pdf() + b"<script>alert(1)</script>",
    papers.pdf()[:-40],
    b"%PDF-1.7\n%%EOF",
    locked_pdf(),
]
BOMBS = [png_of(40_000, 40_000), png_of(2**31 - 1, 2**31 - 1), png_of(9_000, 9_000), png_of(0, 0)]
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-" + b"TEST-FILE!$H+H*"


def damaged() -> Iterator[bytes]:
    """Sound files with a piece missing or overwritten, the same ones every time."""
    chance = random.Random(8)
    for sound in (papers.pdf(3), papers.png(), papers.jpeg()):
        for _ in range(70):
            at, size = chance.randrange(len(sound)), chance.randrange(1, 40)
            piece = chance.randbytes(size)
            yield sound[:at] + chance.choice([b"", piece]) + sound[at + size :]


@pytest.mark.parametrize(
    "content", [*SCRIPTS, *OTHER_KINDS, *POLYGLOTS, *BOMBS, EICAR, papers.pdf() + EICAR + b"%%EOF"]
)
@pytest.mark.row(id="Z08")
def test_a_hostile_file_is_refused_with_what_to_do(content: bytes) -> None:
    with pytest.raises(Unsafe) as refusal:
        examine(content)

    assert refusal.value.reason.endswith(".")
    assert refusal.value.fix.endswith(".")


@pytest.mark.row(id="Z08")
def test_a_damaged_file_is_refused_or_whole_and_never_breaks_the_reader() -> None:
    files = list(damaged())
    refused = 0
    for content in files:
        try:
            kept = examine(content)
        except Unsafe:
            refused += 1
        else:
            assert examine(kept.content).extension == kept.extension

    assert len(files) == 210
    assert refused > 100


@pytest.mark.row(id="Z08")
def test_a_picture_keeps_its_points_and_leaves_everything_else_behind() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "<script>alert(1)</script>")
    kept = io.BytesIO()
    Image.new("RGB", (40, 20), "navy").save(kept, "PNG", pnginfo=notes)
    spoken = Image.Exif()
    spoken[0x010E] = "where the client lives"
    photograph = io.BytesIO()
    Image.new("RGB", (40, 20), "navy").save(photograph, "JPEG", exif=spoken)

    png = examine(kept.getvalue() + zipped("x.exe", b"MZ"))
    jpeg = examine(photograph.getvalue())

    assert b"script" not in png.content
    assert b"PK" not in png.content
    assert Image.open(io.BytesIO(png.content)).getpixel((3, 3)) == (0, 0, 128)
    assert b"lives" not in jpeg.content


def test_a_sound_pdf_is_kept_byte_for_byte() -> None:
    sound = papers.pdf()

    assert uploads.check(sound) == examine(sound)
    assert uploads.check(sound).content == sound


def pdf_unfolding_to(size: int) -> bytes:
    """A sound PDF whose objects lie in one compressed stream that is this long when unfolded (ISO 32000-1 7.5.7)."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>> ",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>> ",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>> ",
    ]
    places = [sum(len(each) for each in objects[:index]) for index in range(3)]
    head = " ".join(f"{number} {place}" for number, place in enumerate(places, 1)).encode() + b" "
    packed = zlib.compress((head + b"".join(objects)).ljust(size), 1)
    file = b"%PDF-1.5\n"
    stream_at = len(file)
    file += b"4 0 obj <</Type/ObjStm/N 3/First %d/Filter/FlateDecode/Length %d>> stream\n" % (len(head), len(packed))
    file += packed + b"\nendstream endobj\n"
    table_at = len(file)
    rows = [(0, 0, 255), (2, 4, 0), (2, 4, 1), (2, 4, 2), (1, stream_at, 0), (1, table_at, 0)]
    table = b"".join(struct.pack(">BIB", *row) for row in rows)
    file += b"5 0 obj <</Type/XRef/Size 6/W[1 4 1]/Root 1 0 R/Length %d>> stream\n" % len(table)
    return file + table + b"\nendstream endobj\nstartxref\n%d\n%%%%EOF\n" % table_at


@pytest.mark.row(id="Z08")
def test_what_unfolds_far_beyond_its_size_is_refused_by_the_readers_own_bounds() -> None:
    assert uploads.check(pdf_unfolding_to(1000)).extension == ".pdf"
    bomb = pdf_unfolding_to(100_000_000)
    assert len(bomb) < 1_000_000

    with pytest.raises(InvalidInput) as refusal:
        uploads.check(bomb)

    assert refusal.value.message == "The PDF is damaged, or unfolds to far more than a document does."


def pdf_with_page_of(packed: bytes, *filters: str, **said: object) -> bytes:
    """A sound PDF whose page is drawn by these bytes, packed as `filters` say."""
    kept = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        drawn = pikepdf.Stream(document, b"")
        drawn.write(packed, filter=pikepdf.Array([pikepdf.Name(each) for each in filters]))
        for name, value in said.items():
            drawn[f"/{name}"] = value
        document.pages[0].Contents = drawn
        document.save(kept, compress_streams=False)
    return kept.getvalue()


BIG = zlib.compress(b"\0" * 100_000_000)


@pytest.mark.row(id="Z08")
@pytest.mark.parametrize(
    "bomb",
    [
        pdf_with_page_of(BIG, "/FlateDecode"),
        pdf_with_page_of(zlib.compress(BIG), "/FlateDecode", "/FlateDecode"),
        pdf_with_page_of(BIG.hex().encode() + b">", "/ASCIIHexDecode", "/FlateDecode"),
        pdf_with_page_of(BIG, "/FlateDecode", Subtype=pikepdf.Name.Image, Width=9, Height=9),
    ],
    ids=["once", "twice", "in other clothes", "as a picture"],
)
def test_a_page_that_unfolds_far_beyond_its_size_is_refused(bomb: bytes) -> None:
    assert len(bomb) < 1_000_000

    with pytest.raises(InvalidInput) as refusal:
        uploads.check(bomb)

    assert refusal.value.message == "The PDF is damaged, or unfolds to far more than a document does."


@pytest.mark.row(id="Z08")
def test_a_huge_picture_in_a_pdf_is_refused_and_an_ordinary_scan_is_kept() -> None:
    def scan(width: int) -> bytes:
        return pdf_with_page_of(papers.jpeg(), "/DCTDecode", Subtype=pikepdf.Name.Image, Width=width, Height=7000)

    with pytest.raises(
        InvalidInput, match="A picture in the PDF has 70000 by 7000 points. Scan it at 300 dpi or less."
    ):
        uploads.check(scan(70_000))

    assert uploads.check(scan(5000)).extension == ".pdf"


@pytest.mark.row(id="Z08")
def test_a_pdf_that_is_an_archive_too_is_refused() -> None:
    """An office file with macros behind a sound PDF; the archive's own last comment ends it as a PDF ends."""
    sound = papers.pdf()
    both = io.BytesIO(sound)
    with zipfile.ZipFile(both, "a") as archive:
        archive.writestr("word/vbaProject.bin", b"macro")
        archive.comment = sound[sound.rindex(b"startxref") :]
    pikepdf.open(both).close()

    with pytest.raises(InvalidInput, match="another file inside"):
        uploads.check(both.getvalue())


@pytest.mark.row(id="Z08")
def test_a_file_over_the_limit_is_not_even_looked_at() -> None:
    with pytest.raises(InvalidInput) as refusal:
        uploads.check(papers.pdf() + b"\0" * uploads.LARGEST)

    assert str(refusal.value) == "The file has 10.1 MB. Scan it smaller: 10 MB at most."


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd.pdf"),
        ("..\\..\\boot.ini", "boot.pdf"),
        ("bill.pdf.exe", "bill-pdf.pdf"),
        ("=cmd|' /C calc'!A0.pdf", "C-calc-A0.pdf"),
        ("", "document.pdf"),
        ("\u202egpj.exe", "gpj.pdf"),
    ],
)
@pytest.mark.row(id="Z08")
def test_a_name_is_made_of_plain_characters_and_tells_the_real_kind(given: str, kept: str) -> None:
    assert uploads.short_name(given, ".pdf", longest=20) == kept


@pytest.mark.django_db
@pytest.mark.row(id="Z08")
@pytest.mark.parametrize(
    ("file_name", "content", "words"),
    [
        ("id.svg", OTHER_KINDS[0], "The file is neither PDF, PNG nor JPEG."),
        ("papers.zip", zipped("bomb", b"\0" * 10_000_000), "The file is neither PDF, PNG nor JPEG."),
        ("bomb.pdf", pdf_unfolding_to(100_000_000), "unfolds to far more than a document does."),
        ("flood.png", png_of(40_000, 40_000), "The picture has 40000 by 40000 points."),
        ("form.pdf", SCRIPTS[0], "The PDF contains a script."),
    ],
)
@pytest.mark.parametrize(("name", "of"), [("clients:document_send", "task"), ("journal:evidence_add", "submission")])
def test_a_page_refuses_a_hostile_file_in_words_records_it_and_keeps_nothing(
    name: str, of: str, file_name: str, content: bytes, words: str, firm: Firm
) -> None:
    advisor, browser = firm.people["advisor"], Client()
    browser.force_login(advisor, backend="backoffice.people.backends.EmailBackend")
    kept = Document.objects.count() + Evidence.objects.count()
    given: dict[str, object] = {"file": SimpleUploadedFile(file_name, content)}
    if of == "task":
        given |= {"proof_type": "Utility Bill", "intent": str(uuid.uuid4())}

    answer = browser.post(reverse(name, args=firm.things[OWN][of]), given)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Document.objects.count() + Evidence.objects.count() == kept
    refused = Entry.objects.filter(action="request.refused", actor=advisor, data__route=name)
    assert [entry.data["status"] for entry in refused] == [422]
