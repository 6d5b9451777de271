from django.db import migrations


class Migration(migrations.Migration):
    """Order numbers come from one sequence, so that two tickets drawn up at once never share one."""

    dependencies = [("trading", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE trading_order_number AS integer START 20401 NO CYCLE",
            "DROP SEQUENCE trading_order_number",
        )
    ]
