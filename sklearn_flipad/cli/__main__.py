"""``python -m sklearn_flipad.cli`` is ``flipad``."""

from sklearn_flipad.cli import main

if __name__ == "__main__":
    main()
