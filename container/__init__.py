"""The runtime: everything in the image that is not the user's predictor.py and train.

Read it bottom-up; each file imports only from the ones before it:
errors, settings (every setting, once), logs, media_types, codecs (bytes to data and back), manifest and loaders (files
to a model), batching, lane and thread_lane (who predicts when, and with whom), handlers (which functions serve),
defaults, model (a request from start to end), answers, exchange and app (HTTP), http, connection, loop and worker (the
process that serves). For train: stopping, failure, job, training.
Beside them, never importing Flask, numpy or user code: supervisor (PID 1) with children, status, nginx and resources.
worker is the gunicorn worker that ties app and supervisor together; gunicorn_conf names it.
"""
