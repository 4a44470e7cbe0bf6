"""In place of the package of that name, which is a part of some managed containers: what scripts use to answer.

On sys.path behind all else when the artifact has a script (handlers.load_program), so an installed one is preferred.
Names and behaviour: sagemaker-containers 2.8.6. What is not here says so when it is used, since many scripts import
more than they use.
"""
