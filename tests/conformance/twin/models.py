"""Many models: /models and its routes."""
