"""Pure functions from a SKU to a rate. No I/O, no clock."""
