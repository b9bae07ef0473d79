"""Internal: the command ``flipad``, a thin layer over the library."""

import sys


def main():
    """Run the command and exit."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        sys.exit(f"flipad needs {error.name}: pip install 'sklearn-flipad[cli]'.")
    from sklearn_flipad.cli.app import app

    app()
