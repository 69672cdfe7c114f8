"""The command line: parse, call, render. Heavy imports are late."""
