"""Totals, coverage, inventory, explain, reconcile, what-if over a ledger snapshot."""
