"""The steps of ``tools/build_factors.py``: each module turns shared research CSVs into tables of the factor set."""
