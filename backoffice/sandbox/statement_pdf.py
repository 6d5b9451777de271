"""The activity statement and the trade confirmation as PDFs. The same figures make the same bytes."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import KeepTogether, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from .clock import NEW_YORK
from .statement_figures import Figures, symbol

RED, INK, RULE, BAND = (
    colors.HexColor("#a3101f"),
    colors.HexColor("#1d2530"),
    colors.HexColor("#c9d0d9"),
    colors.HexColor("#f1f3f6"),
)
TITLE = ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=16, textColor=INK, spaceAfter=2 * mm, leading=20)
SUBTITLE = ParagraphStyle("subtitle", fontName="Helvetica", fontSize=9, textColor=INK, leading=12)
SECTION = ParagraphStyle(
    "section", fontName="Helvetica-Bold", fontSize=10.5, textColor=RED, spaceBefore=5 * mm, spaceAfter=1.5 * mm
)
NOTE = ParagraphStyle("note", parent=SUBTITLE, fontSize=7.5, textColor=colors.HexColor("#5b6675"), leading=10)
WIDTH = A4[0] - 36 * mm


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def write(statements: Sequence[Figures]) -> bytes:
    """One activity statement; each account starts on a page of its own."""
    return _document("Activity Statement", statements, _account)


def confirm(statements: Sequence[Figures]) -> bytes:
    """One trade confirmation; each account starts on a page of its own."""
    return _document("Trade Confirmation", statements, _confirmed)


def _document(kind: str, statements: Sequence[Figures], draw: Callable[[Figures], list[Any]]) -> bytes:
    out = BytesIO()
    first = statements[0]
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=18 * mm, rightMargin=18 * mm, topMargin=20 * mm, bottomMargin=18 * mm, invariant=1,
        title=f"{kind} {first.account.account} {first.start:%Y-%m-%d} to {first.end:%Y-%m-%d}",
        author="Interactive Brokers (simulated)",
    )  # fmt: skip
    story: list[Any] = []
    for place, figures in enumerate(statements):
        story += ([PageBreak()] if place else []) + draw(figures)
    document.build(story, onFirstPage=_frame, onLaterPages=_frame)
    return out.getvalue()


def _confirmed(figures: Figures) -> list[Any]:
    account = figures.account
    totals: dict[str, Decimal] = {}
    for trade in figures.trades:
        net = trade.amount + figures.commissions.get(trade.reference, Decimal(0))
        totals[trade.currency] = totals.get(trade.currency, Decimal(0)) + net
    return [
        Paragraph("Trade Confirmation", TITLE),
        Paragraph(f"{figures.start:%B %d, %Y} - {figures.end:%B %d, %Y}", SUBTITLE),
        Paragraph("Account Information", SECTION),
        _pairs([("Name", account.title), ("Account", account.account), ("Base Currency", account.base_currency)]),
        Paragraph("Trades", SECTION),
        *_trades(figures),
        Paragraph("Net Amounts", SECTION),
        _grid(["Currency", "Total"], [[currency, money(amount)] for currency, amount in sorted(totals.items())]),
        Spacer(1, 4 * mm),
        Paragraph("Settlement is immediate in the sandbox. Net amounts are proceeds less commissions.", NOTE),
    ]


def _frame(canvas: Any, document: Any) -> None:
    canvas.saveState()
    canvas.setFillColor(RED)
    canvas.rect(0, A4[1] - 12 * mm, A4[0], 12 * mm, stroke=0, fill=1)
    canvas.setFillColor(colors.white)
    canvas.setFont("Helvetica-Bold", 10)
    canvas.drawString(18 * mm, A4[1] - 8 * mm, "Interactive Brokers (simulated)")
    canvas.setFillColor(INK)
    canvas.setFont("Helvetica", 7.5)
    canvas.drawString(18 * mm, 9 * mm, "Made by the sandbox from its own books. Not a document of Interactive Brokers.")
    canvas.drawRightString(A4[0] - 18 * mm, 9 * mm, f"Page {document.page}")
    canvas.restoreState()


def _account(figures: Figures) -> list[Any]:
    account, base = figures.account, figures.account.base_currency
    story: list[Any] = [
        Paragraph("Activity Statement", TITLE),
        Paragraph(f"{figures.start:%B %d, %Y} - {figures.end:%B %d, %Y}", SUBTITLE),
        Paragraph("Account Information", SECTION),
        _pairs(
            [
                ("Name", account.title), ("Account", account.account), ("Account Alias", account.alias or "-"),
                ("Master Account", account.master),
                ("Account Type", "Individual"), ("Account Capabilities", account.margin), ("Base Currency", base),
                ("Address", _address(figures)),
            ]
        ),
        Paragraph(f"Net Asset Value ({base})", SECTION),
        _grid(["", "Prior Total", "Current Total", "Change"], _nav_rows(figures), total=True),
        Paragraph(f"Change in NAV ({base})", SECTION),
        _grid(["", "Total"], [[label, money(amount)] for label, amount in figures.change], total=True),
        Paragraph("Cash Report", SECTION),
        *_cash(figures),
        Paragraph("Open Positions", SECTION),
        *_positions(figures),
        Paragraph("Trades", SECTION),
        *_trades(figures),
    ]  # fmt: skip
    for title, kinds in (
        ("Deposits & Withdrawals", ("deposit", "withdrawal")), ("Dividends & Withholding Tax", ("dividend", "withholding tax")),
        ("Interest", ("interest",)), ("Fees", ("advisory fee", "fee")), ("Currency Conversions", ("fx",)),
    ):  # fmt: skip
        story += _flows(figures, title, kinds)
    story += [
        Spacer(1, 4 * mm),
        Paragraph(
            "Positions are valued at the closing prices of the last day of the period. Amounts are rounded to hundredths.",
            NOTE,
        ),
    ]
    return story


def _nav_rows(figures: Figures) -> list[list[str]]:
    return [[label, money(prior), money(now), money(now - prior)] for label, prior, now in figures.nav]


def _address(figures: Figures) -> str:
    if figures.holder is None:
        return "-"
    residence = figures.holder.residence
    return ", ".join(
        residence[part] for part in ("street1", "street2", "postalCode", "city", "country") if residence.get(part)
    )


def _pairs(rows: list[tuple[str, str]]) -> Table:
    table = Table(
        [[label, Paragraph(_plain(text), SUBTITLE)] for label, text in rows],
        colWidths=[45 * mm, WIDTH - 45 * mm],
        hAlign="LEFT",
    )
    table.setStyle(TableStyle([*_BASE, ("TEXTCOLOR", (0, 0), (0, -1), colors.HexColor("#5b6675"))]))
    return table


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_BASE = [
    ("FONTNAME", (0, 0), (-1, -1), "Helvetica"), ("FONTSIZE", (0, 0), (-1, -1), 8),
    ("LINEBELOW", (0, 0), (-1, -1), 0.25, RULE),
    ("TOPPADDING", (0, 0), (-1, -1), 1.6), ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
]  # fmt: skip


def _grid(head: list[str], rows: list[list[str]], *, texts: int = 1, total: bool = False) -> Table:
    """A table whose first `texts` columns are left-aligned text and whose other columns are figures."""
    widths = _widths(len(head), texts)
    table = Table([head, *rows], colWidths=widths, repeatRows=1, hAlign="LEFT")
    style = [
        *_BASE, ("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold"), ("BACKGROUND", (0, 0), (-1, 0), BAND),
        ("ALIGN", (texts, 0), (-1, -1), "RIGHT"),
    ]  # fmt: skip
    if total:
        style += [("FONTNAME", (0, -1), (-1, -1), "Helvetica-Bold"), ("LINEABOVE", (0, -1), (-1, -1), 0.6, INK)]
    table.setStyle(TableStyle(style))
    return table


def _widths(columns: int, texts: int) -> list[float]:
    """Figures share up to three fifths of the width; of three texts the second takes what the others leave."""
    figure = min(32 * mm, WIDTH * 0.6 / max(columns - texts, 1))
    rest = WIDTH - figure * (columns - texts)
    by_texts = {1: [rest], 2: [rest * 0.62, rest * 0.38], 3: [21 * mm, rest - 34 * mm, 13 * mm]}
    return by_texts[texts] + [figure] * (columns - texts)


def _none(text: str) -> list[Any]:
    return [Paragraph(text, SUBTITLE)]


def _cash(figures: Figures) -> list[Any]:
    story: list[Any] = []
    for currency, lines in figures.cash.items():
        table = _grid([currency, "Total"], [[label, money(amount)] for label, amount in lines], total=True)
        story += [KeepTogether([table, Spacer(1, 2 * mm)])]
    return story or _none("No cash.")


def _positions(figures: Figures) -> list[Any]:
    if not figures.positions:
        return _none("No open positions at the end of the period.")
    head = ["Symbol", "Currency", "Quantity", "Cost Basis", "Close Price", "Value", "Unrealized P/L"]
    rows = [
        [
            p.symbol,
            p.currency,
            f"{p.quantity.normalize():,f}",
            money(p.cost_basis),
            f"{p.close:,f}",
            money(p.value),
            money(p.unrealized),
        ]
        for p in figures.positions
    ]
    total = sum((p.value_in_base for p in figures.positions), Decimal(0))
    rows.append([f"Total in {figures.account.base_currency}", "", "", "", "", money(total), ""])
    return [_grid(head, rows, texts=2, total=True)]


def _trades(figures: Figures) -> list[Any]:
    if not figures.trades:
        return _none("No trades in the period.")
    head = ["Symbol", "Date/Time (ET)", "Cur.", "Quantity", "T. Price", "Proceeds", "Comm/Fee", "Realized P/L"]
    rows = [
        [
            symbol(t.conid), f"{t.at.astimezone(NEW_YORK):%Y-%m-%d, %H:%M:%S}", t.currency,
            f"{t.quantity.normalize():,f}", f"{t.price:,f}",
            money(t.amount), money(figures.commissions.get(t.reference, Decimal(0))), money(t.realized),
        ]
        for t in figures.trades
    ]  # fmt: skip
    return [_grid(head, rows, texts=3)]


def _flows(figures: Figures, title: str, kinds: tuple[str, ...]) -> list[Any]:
    entries = [entry for entry in figures.flows if entry.kind in kinds]
    if not entries:
        return []
    totals: dict[str, Decimal] = {}
    for entry in entries:
        totals[entry.currency] = totals.get(entry.currency, Decimal(0)) + entry.amount
    rows = [[f"{entry.day:%Y-%m-%d}", entry.description, entry.currency, money(entry.amount)] for entry in entries]
    rows += [["Total", "", currency, money(amount)] for currency, amount in totals.items()]
    return [Paragraph(_plain(title), SECTION), _grid(["Date", "Description", "Cur.", "Amount"], rows, texts=3)]
