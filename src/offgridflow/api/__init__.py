"""REST API under /api/v1 (FastAPI): parse, call reports, render."""
