"""One module per command. Each has ``ORDER`` (its place in the help) and ``register(app)``; nothing else is needed.

A command module is imported on every start, so it imports nothing heavy at its top: DuckDB, delta-rs and Rich tables
come in when the command runs.
"""
