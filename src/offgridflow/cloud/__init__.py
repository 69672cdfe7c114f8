"""The one door out to providers: pace, retry, error classes, pages, redaction, events."""
