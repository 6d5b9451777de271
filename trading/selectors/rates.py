"""Exchange rates from IBKR's ledgers, for totals in one currency."""

from decimal import Decimal

from trading.models import ExchangeRate


class Rates:
    """All known rates, read once for one page. A pair nobody's ledger shows is not known."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Decimal] = {}
        for row in ExchangeRate.objects.order_by("as_of"):
            self._known[row.from_currency, row.to_currency] = row.rate

    def rate(self, from_currency: str, to_currency: str) -> Decimal | None:
        """Return what one unit is worth in another currency: as listed, turned round, or by way of a third."""
        if from_currency == to_currency:
            return Decimal(1)
        if (direct := self._direct(from_currency, to_currency)) is not None:
            return direct
        middles = {currency for pair in self._known for currency in pair} - {from_currency, to_currency}
        for middle in sorted(middles):
            first, second = self._direct(from_currency, middle), self._direct(middle, to_currency)
            if first is not None and second is not None:
                return first * second
        return None

    def convert(self, amount: Decimal | None, from_currency: str, to_currency: str) -> Decimal | None:
        rate = self.rate(from_currency, to_currency)
        return None if amount is None or rate is None else amount * rate

    def _direct(self, from_currency: str, to_currency: str) -> Decimal | None:
        if (rate := self._known.get((from_currency, to_currency))) is not None:
            return rate
        turned = self._known.get((to_currency, from_currency))
        return None if not turned else Decimal(1) / turned
