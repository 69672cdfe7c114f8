"""``python -m offgridflow`` is ``offgridflow``."""

from offgridflow.cli.main import main

if __name__ == "__main__":
    main()
