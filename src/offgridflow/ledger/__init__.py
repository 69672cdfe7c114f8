"""The Delta tables: commit, replace, read, time travel, verify."""
