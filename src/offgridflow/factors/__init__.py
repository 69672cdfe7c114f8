"""Factor sets: data files with provenance, and their loader."""
