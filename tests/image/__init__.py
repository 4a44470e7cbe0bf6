"""Tests of the built image: each M row of the container contract that concerns one model, named by its id there."""
