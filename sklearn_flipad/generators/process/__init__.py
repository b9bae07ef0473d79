"""Internal: a generator, and what is done to its samples, as a function of latents."""
