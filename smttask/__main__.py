"""``python -m smttask`` is the command ``smttask``."""

from smttask.cli import main

if __name__ == "__main__":
    main()
