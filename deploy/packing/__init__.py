"""A model folder on its way to S3: members, archive, pickles, trial in the image, storage. Called by verbs/package."""
