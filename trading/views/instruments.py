"""Finding an instrument and its quote. What we know is shown at once; IBKR is asked by an inquiry."""

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST, require_safe

from backoffice.core import clock
from backoffice.journal import inquiries
from backoffice.journal.models import InquiryState
from backoffice.people.policy import requires
from trading import policy
from trading.dispatch_names import INSTRUMENT_SEARCH, QUOTE
from trading.models import Instrument
from trading.services import portfolio
from trading.translate import availability
from trading.views.common import mark, own_inquiry, reader, unchanged

MOST_HITS = 8


@require_safe
@requires("trading.view")
def search(request: HttpRequest) -> HttpResponse:
    """Instruments we know under this symbol or name, and an offer to ask IBKR; without `hits`, the empty search itself."""
    if "hits" not in request.GET:
        return render(request, "trading/_instrument.html", {"instrument": None})
    text = request.GET.get("text", "").strip()[:40]
    found: list[Instrument] = []
    if text:
        exact = Instrument.objects.filter(symbol__iexact=text)
        like = Instrument.objects.filter(Q(symbol__istartswith=text) | Q(name__icontains=text))
        found = list(dict.fromkeys([*exact[:MOST_HITS], *like[:MOST_HITS]]))[:MOST_HITS]
    return render(request, "trading/_instrument_hits.html", {"text": text, "instruments": found, "may_ask": bool(text)})


@require_POST
@requires("trading.view")
def ask(request: HttpRequest) -> HttpResponse:
    """Ask IBKR for the listings under a symbol or a name."""
    text = request.POST.get("text", "").strip()[:40]
    if not text:
        return render(request, "trading/_instrument_hits.html", {"text": "", "instruments": []})
    inquiry = inquiries.ask(INSTRUMENT_SEARCH, {"text": text}, by=reader(request))
    return render(request, "trading/_instrument_hits.html", {"text": text, "inquiry": inquiry})


@require_safe
@requires("trading.view")
def found(request: HttpRequest, pk: str) -> HttpResponse:
    """Show what IBKR answered, or ask again in a second."""
    inquiry = own_inquiry(request, pk, INSTRUMENT_SEARCH)
    context = {"text": inquiry.params["text"], "inquiry": inquiry}
    if inquiry.state == InquiryState.ANSWERED:
        rows = {row.conid: row for row in Instrument.objects.filter(conid__in=inquiry.answer["conids"])}
        context["instruments"] = [rows[conid] for conid in inquiry.answer["conids"] if conid in rows]
        context["more"] = inquiry.answer["more"]
    return render(request, "trading/_instrument_hits.html", context)


@require_safe
@requires("trading.view")
def choose(request: HttpRequest, conid: str) -> HttpResponse:
    """The ticket's instrument, chosen; its quote is asked for as it comes."""
    return render(request, "trading/_instrument.html", {"instrument": get_object_or_404(Instrument, conid=conid)})


@require_POST
@requires("trading.view")
def quote(request: HttpRequest, conid: str) -> HttpResponse:
    """Ask for a quote, unless the kept one is fresh."""
    instrument = get_object_or_404(Instrument, conid=conid)
    is_fresh = instrument.quoted_at is not None and clock.now() - instrument.quoted_at < policy.QUOTE_FRESH
    if is_fresh:
        return _quote(request, instrument)
    inquiry = inquiries.ask(QUOTE, {"conid": instrument.conid}, by=reader(request))
    return _quote(request, instrument, inquiry=inquiry)


@require_safe
@requires("trading.view")
def live(request: HttpRequest, conid: str) -> HttpResponse:
    """The quote as the stream keeps it; 204 while the page shows already what is so. Whoever asks is looking at it."""
    instrument = get_object_or_404(Instrument, conid=conid)
    portfolio.watch_instrument(instrument)
    if unchanged(request, _mark(instrument)):
        return HttpResponse(status=204)
    return _quote(request, instrument)


@require_safe
@requires("trading.view")
def quoted(request: HttpRequest, pk: str) -> HttpResponse:
    """Show the quote, or ask again in a second."""
    inquiry = own_inquiry(request, pk, QUOTE)
    return _quote(request, get_object_or_404(Instrument, conid=inquiry.params["conid"]), inquiry=inquiry)


def _quote(request: HttpRequest, instrument: Instrument, **context: object) -> HttpResponse:
    portfolio.watch_instrument(instrument)
    context |= {
        "instrument": instrument,
        "how_live": availability(instrument.availability),
        "mark": _mark(instrument),
    }
    return render(request, "trading/_quote.html", context)


def _mark(instrument: Instrument) -> str:
    return mark(instrument.quoted_at, instrument.bid, instrument.ask, instrument.last, instrument.availability)
