"""The tables, figures, examples and theorem of the paper, each by its name."""
