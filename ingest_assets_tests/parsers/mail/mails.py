"""Write mails for the tests."""

from __future__ import annotations

from email.message import EmailMessage


def message(text: str = "The text.", *, subject: str = "Plan für März") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Cc"] = "Ann <ann@example.org>", "Bob <bob@example.org>", "Chär <c@example.org>"
    made["Date"], made["Subject"] = "Wed, 04 Oct 2023 09:27:45 -0500", subject
    made.set_content(text)
    return made
