"""Run a format mapping where the data is."""
