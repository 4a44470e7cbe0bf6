"""What gunicorn imports: the app, its model loaded. It starts no thread: container/worker.py does, after the fork."""

from container.app import create_app
from container.handlers import load_predictor
from container.settings import Settings

app = create_app(Settings.from_environ(), load_predictor())
