"""Read mails: EML and mailboxes, and MSG as Outlook saves it."""
