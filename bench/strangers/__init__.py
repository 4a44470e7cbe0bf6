"""Other people's ways to serve a model on SageMaker, each as an image that the conformance checker is run on."""
