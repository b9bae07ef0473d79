"""Optional dependencies, imported where they are used."""

from importlib import import_module

__all__ = ["import_optional", "import_pyplot", "import_report_tools"]


def import_optional(module, what, extra):
    """Module of an optional dependency; ImportError says which extra installs it."""
    try:
        import_module(module.partition(".")[0])
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{what}: pip install 'sklearn-flipad[{extra}]'.") from error


def import_pyplot():
    """Module ``matplotlib.pyplot``."""
    return import_optional("matplotlib.pyplot", "Plotting needs matplotlib", "plot")


def import_report_tools():
    """The module ``jinja2``, once matplotlib is found to be installed as well."""
    import_optional("matplotlib", "A report needs matplotlib", "report")
    return import_optional("jinja2", "A report needs jinja2", "report")
