"""Cloud bills and the providers' own carbon reports in, an auditable emission ledger out."""
