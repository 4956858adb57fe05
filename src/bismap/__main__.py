"""``python -m bismap``."""

from bismap.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
