"""Make the table of files."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = ()

    operations = (
        migrations.CreateModel(
            name="FileProgress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("file_id", models.CharField(max_length=1024, unique=True)),
                ("sequence", models.BigIntegerField(default=0)),
                ("user_id", models.CharField(max_length=255)),
                ("project_id", models.CharField(max_length=255)),
                ("filename", models.CharField(max_length=1024)),
                ("status", models.CharField(max_length=32)),
                ("state", models.CharField(max_length=32)),
                ("stage", models.CharField(blank=True, max_length=64)),
                ("percent", models.IntegerField(default=0)),
                ("chunks", models.IntegerField(default=0)),
                ("pages", models.IntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["user_id", "project_id"], name="progress_of_project")],
            },
        ),
    )
