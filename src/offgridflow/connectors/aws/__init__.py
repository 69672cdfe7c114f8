"""Billing exports of AWS in S3: legacy Cost and Usage Reports, and Data Exports (CUR 2.0, FOCUS)."""
