"""Internal: networks that guess latents, and their training."""
