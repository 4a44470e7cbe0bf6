"""What scripts made for managed containers import and no index has in a state to install. See sagemaker_containers."""
