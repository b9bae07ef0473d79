"""Training of the generators that the package ships, and measures of their quality."""
