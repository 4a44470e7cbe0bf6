"""The deploy tools against the double, beside ours."""

from tests.deploy.flow.conftest import cloud, one_aws

__all__ = ["cloud", "one_aws"]
