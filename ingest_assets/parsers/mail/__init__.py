"""Read mails: EML, mailboxes (mbox), and Outlook messages (MSG)."""
