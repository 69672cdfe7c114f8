"""The words of the house: identities, units, periods, reasons and the shapes of activity, rate and emission.

Standard library only, no I/O. Everything above imports from here; nothing here imports from above.
"""
