"""The dashboard, served by the same process as the API."""
