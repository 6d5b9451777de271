"""The doorbells of the trading lane and its inquiries; each body is one call."""

from celery import shared_task

from trading.dispatch import groups, inquiries, looks, orders, sync


@shared_task(name="trading.send_order")
def send_order(submission_pk: str) -> None:
    orders.send_order(submission_pk)


@shared_task(name="trading.send_reply")
def send_reply(submission_pk: str) -> None:
    orders.send_reply(submission_pk)


@shared_task(name="trading.send_cancel")
def send_cancel(submission_pk: str) -> None:
    orders.send_cancel(submission_pk)


@shared_task(name="trading.look_for_order")
def look_for_order(submission_pk: str) -> None:
    looks.look_for_order(submission_pk)


@shared_task(name="trading.look_for_cancel")
def look_for_cancel(submission_pk: str) -> None:
    looks.look_for_cancel(submission_pk)


@shared_task(name="trading.sweep_questions")
def sweep_questions() -> None:
    looks.sweep_questions()


@shared_task(name="trading.send_group")
def send_group(submission_pk: str) -> None:
    groups.send_group(submission_pk)


@shared_task(name="trading.look_for_group")
def look_for_group(submission_pk: str) -> None:
    groups.look_for_group(submission_pk)


@shared_task(name="trading.sync_orders")
def sync_orders() -> None:
    sync.sync_orders()


@shared_task(name="trading.sync_portfolios")
def sync_portfolios() -> None:
    sync.sync_portfolios()


@shared_task(name="trading.answer_instrument_search")
def answer_instrument_search(inquiry_pk: str) -> None:
    inquiries.answer_instrument_search(inquiry_pk)


@shared_task(name="trading.answer_quote")
def answer_quote(inquiry_pk: str) -> None:
    inquiries.answer_quote(inquiry_pk)


@shared_task(name="trading.answer_portfolio_refresh")
def answer_portfolio_refresh(inquiry_pk: str) -> None:
    inquiries.answer_portfolio_refresh(inquiry_pk)


@shared_task(name="trading.answer_what_if")
def answer_what_if(inquiry_pk: str) -> None:
    inquiries.answer_what_if(inquiry_pk)
