"""Billing exports of Azure Cost Management in Blob storage and Data Lake."""
