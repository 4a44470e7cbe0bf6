"""The servers of the system tests, for the examples of the pages: the shipped sample, and serve(...) for any other."""

from tests.system.conftest import sample, sample_dir, serve

__all__ = ["sample", "sample_dir", "serve"]
