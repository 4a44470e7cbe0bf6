"""The runtime: everything in the image that is not the user's predictor.py and train.

Read it bottom-up, each file imports only from the ones before it:
errors, settings (the table of every setting), logs, codecs (bytes to data and back), manifest and loaders (files to a
model), lane (who predicts when), handlers (which *_fn serve), model (one request, start to end), app (Flask),
training (the train job). Beside them, never importing Flask, numpy or user code: supervisor (PID 1), nginx, resources
and gunicorn_conf; worker is the gunicorn worker that ties app and supervisor together.
"""
