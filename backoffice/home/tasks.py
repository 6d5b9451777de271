"""The frame's own tasks: what needs each person is written down and told every minute."""

from celery import shared_task
from django.db import connection

from backoffice.home import notice_mail, notices

_LOCK = 7_102_331  # one at a time: two beats would send two e-mails


@shared_task(name="home.sweep_notices")
def sweep_notices() -> None:
    notices.forget_old()


@shared_task(name="home.note_and_tell")
def note_and_tell() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return
        try:
            try:
                notices.note_everybody()
            finally:
                notice_mail.deliver()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
