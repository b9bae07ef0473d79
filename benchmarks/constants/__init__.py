"""Constants of the library, each beside other values of it."""
