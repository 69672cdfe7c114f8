"""What deliveries exist (discover) and how to get one (fetch), one folder per upstream."""
