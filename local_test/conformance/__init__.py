"""A checker of the container contract of Amazon SageMaker, for any image: python -m local_test.conformance IMAGE."""
