"""The WebSocket route."""
