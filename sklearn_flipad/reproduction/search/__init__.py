"""Internal: the search for the latents that reproduce a sample, many samples side by side."""
