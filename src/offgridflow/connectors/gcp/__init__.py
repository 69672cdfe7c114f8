"""Billing exports of Google Cloud: unloaded to Cloud Storage, or in BigQuery."""
