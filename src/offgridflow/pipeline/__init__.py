"""plan -> fetch -> aggregate -> rate -> reconcile -> commit; durable and idempotent."""
