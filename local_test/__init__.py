"""The developer's bench: run, predict, measure. Nothing of it is in the image."""
