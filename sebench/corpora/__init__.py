"""Where speech, noise and impulse responses come from: each corpus turns its files into a manifest with splits."""
