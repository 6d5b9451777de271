import copy
import pickle
from dataclasses import asdict
from decimal import Decimal

from backoffice.ibkr.redaction import Veiled, redact
from backoffice.ibkr.types.portfolio import Position
from tests.ibkr.conftest import Bench, answer

SECRET = {"access_token": "sso-secret", "sum": Decimal("1.50")}


def test_a_veiled_value_can_only_be_seen_redacted() -> None:
    veiled = Veiled(redact, SECRET)

    assert veiled.seen() == {"access_token": "[hidden]", "sum": Decimal("1.50")}
    assert veiled.seen() is veiled.seen()


def test_no_copy_pickle_or_representation_holds_what_is_hidden() -> None:
    veiled = Veiled(redact, SECRET)

    assert b"sso-secret" not in pickle.dumps(veiled)
    assert pickle.loads(pickle.dumps(veiled)) == veiled
    assert "sso-secret" not in f"{veiled!r} {veiled}"
    assert copy.deepcopy(veiled).seen() == copy.copy(veiled).seen() == veiled.seen()


def test_an_answer_keeps_everything_but_secrets_and_shows_it_nowhere_else() -> None:
    row = {"conid": 265598, "position": Decimal("2"), "token": "sso-secret", "novelty": [{"email": "a@b.c"}]}

    position = Position.read(row)

    assert "sso-secret" not in repr(position)
    assert b"sso-secret" not in pickle.dumps(position)
    assert position.raw == {**row, "token": "[hidden]", "novelty": [{"email": "[hidden]"}]}
    assert position == Position.read(row)
    assert pickle.loads(pickle.dumps(position)) == position
    assert "raw" not in position.model_dump()


def test_what_identifies_a_person_or_firm_is_hidden_by_every_name_ibkr_gives_it() -> None:
    number = "987-65"  # in none of the forms that are hidden wherever they stand
    kept = redact(
        {
            "account": {"taxIds": [{"US": number}], "registeredAddress": {"line": number}, "mailing": {"line": number}},
            "associatedPersons": [{"residence": {"line": number}, "cityOfBirth": number, "firstName": "Ada"}],
            "trust": {"registrationNumber": number},
            "firm": {"identification": number, "identificationCountry": "DEU"},
            "w8BenE": {"foreignTin": number, "usTin": number},
            "contact": {"phoneNumber": number, "contactEmail": number, "companyPhone": number},
            "holder": {"identification": {"passport": number, "citizenship": "DEU"}},
        }
    )

    assert number not in str(kept)
    assert isinstance(kept, dict)
    assert kept["holder"] == {"identification": {"passport": "[hidden]", "citizenship": "DEU"}}
    assert kept["firm"] == {"identification": "[hidden]", "identificationCountry": "DEU"}
    assert kept["associatedPersons"] == [{"residence": "[hidden]", "cityOfBirth": "[hidden]", "firstName": "Ada"}]


def test_rows_read_together_are_those_read_one_by_one() -> None:
    rows = [{"conid": number, "position": "1,300", "ticker": "AAPL"} for number in range(1, 4)]

    together = Position.read_all(rows)

    assert together == tuple(Position.read(row) for row in rows)
    assert [position.raw for position in together] == rows


def test_the_record_of_an_exchange_is_redacted_however_it_is_taken_apart(bench: Bench) -> None:
    bench.server.play(answer(200, {"active": True, "access_token": "sso-secret"}))

    bench.client.sso.trading_session("alder01", ip="127.0.0.1")

    (exchange,) = bench.exchanges
    assert b"sso-secret" not in pickle.dumps(exchange)
    assert "sso-secret" not in f"{exchange!r} {asdict(exchange)}"
    assert exchange.answer == {"active": True, "access_token": "[hidden]"}
