"""nginx and gunicorn side by side, as the sample's `serve` starts them: stack.py WORKER_CLASS"""

import os
import signal
import string
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
run_dir = Path(os.environ["RUN_DIR"])
socket = Path(tempfile.mkdtemp(prefix="bench-")) / "gunicorn.sock"  # a socket's path may have 107 bytes: unix(7)
text = string.Template((HERE / "nginx.conf").read_text())
(run_dir / "nginx.conf").write_text(text.substitute(run_dir=run_dir, socket=socket, port=os.environ["PORT"]))
socket.parent.chmod(0o755)  # nginx's worker is another user when root starts it

nginx = ["nginx", "-c", run_dir / "nginx.conf", "-e", run_dir / "error.log"]
gunicorn = [sys.executable, "-m", "gunicorn", "--chdir", HERE, "--timeout", "60", "-k", sys.argv[1],
            "-b", f"unix:{socket}", "-w", os.environ["WORKERS"], "predictor:app"]  # fmt: skip
children = [subprocess.Popen(command) for command in (nginx, gunicorn)]


def stop(*_):
    for child in children:
        child.terminate()
    for child in children:
        child.wait()
    socket.unlink(missing_ok=True)
    socket.parent.rmdir()
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
stop()
