"""Answers in parts."""
