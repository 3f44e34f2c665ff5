"""`python -m api.cli` is `colophon`."""

from api.cli import main

if __name__ == "__main__":
    main()
