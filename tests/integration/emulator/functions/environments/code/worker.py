"""Takes time, memory, processes or files as it is told, and says when it worked and where."""

import contextlib
import locale
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODE = os.environ.get("INIT_MODE")
if MODE == "slow_restore":
    from snapshot_restore_py import register_after_restore

    register_after_restore(time.sleep, 60)
if MODE == "unfinished":
    sys.stdout.write("initialised without end")
    sys.stdout.flush()
if MODE == "hungry":
    memory = bytearray(b"x") * (300 << 20)
if MODE == "long_error":
    raise ValueError("x" * 7_000_000)

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def handler(event, context):
    parameters = event.get("queryStringParameters") or event
    began = time.monotonic()
    result = act(parameters, context)
    facts = {"pid": os.getpid(), "id": context.aws_request_id, "began": began, "ended": time.monotonic()}
    return {**facts, "result": result}


def act(parameters, context):
    match parameters.get("act"):
        case "sleep":
            time.sleep(float(parameters["s"]))
        case "wait":
            while not Path(parameters["file"]).exists():
                time.sleep(0.02)
        case "allocate":
            memory = [bytearray(b"x") * (1 << 20) for _ in range(int(parameters["mb"]))]
            time.sleep(float(parameters.get("s", 0)))
            return len(memory)
        case "allocate_in_child":
            code = f"memory = bytearray(b'x') * ({parameters['mb']} << 20); import time; time.sleep(10)"
            subprocess.run([sys.executable, "-c", code], check=False)
        case "huge":
            return len(bytes(int(parameters["mb"]) << 20))
        case "leave":
            # In a session of its own, and its parent gone: in nobody's process group.
            quiet = "stdout=-3, stderr=-3, start_new_session=True"
            code = f"import subprocess; print(subprocess.Popen({SLEEP!r}, {quiet}).pid, flush=True)"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, close_fds=True)
            pid = int(done.stdout)
            if parameters.get("exit"):
                (Path(parameters["exit"])).write_text(str(pid))
                os._exit(3)
            return pid
        case "hide":
            return hide(Path(parameters["note"]), crash=bool(parameters.get("crash")))
        case "exit":
            os._exit(3)
        case "raise":
            raise ValueError("x" * int(parameters["length"]))
        case "tmp":
            file = Path(tempfile.gettempdir()) / "kept"
            there = file.exists()
            file.touch()
            return [tempfile.gettempdir(), there]
        case "print":
            print(parameters["text"], end=parameters.get("end", "\n"), flush=True)
        case "flood":
            flood(parameters["mark"], int(parameters["lines"]), int(parameters["length"]))
        case "surroundings":
            return surroundings()
        case "context":
            return context.client_context.custom
        case "type":
            return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
    return None


def surroundings():
    """Return what a process finds, but for its ids, its folder, its log and the modules of Python's own."""
    own = {"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "TMPDIR", "_X_AMZN_TRACE_ID"}
    modules = {name.partition(".")[0] for name in sys.modules}
    return {
        "variables": {name: value for name, value in os.environ.items() if name not in own},
        "path": sys.path,
        "arguments": sys.argv,
        "folder": str(Path.cwd()),
        "flags": str(sys.flags),
        "encodings": [locale.getpreferredencoding(), sys.stdout.encoding, sys.getfilesystemencoding()],
        "zone": time.tzname,
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if "RLIMIT_" in name},
        "signals": {number: str(signal.getsignal(number)) for number in signal.valid_signals()},
        "leads a session": os.getsid(0) == os.getpid(),
        "modules": sorted(name for name in modules if name not in sys.stdlib_module_names),
        "log level": logging.getLogger().level,
        "handlers": str([type(handler).__name__ for handler in logging.getLogger().handlers]),
        "descriptors": len(list(Path("/dev/fd").iterdir())),
    }


def flood(mark, lines, length):
    """Print many lines, as several writes each, the last one without an end."""
    for number in range(lines):
        sys.stdout.write(f"{mark} {number} ")
        sys.stdout.write(mark * length + "\n")
    sys.stdout.write(f"{mark} the end")


def hide(note, *, crash):
    """Start what shares nothing with this process: forked twice, in a session of its own, without a variable."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            part = note.with_suffix(".part")
            part.write_text(str(os.getpid()))
            part.rename(note)
            for descriptor in range(64):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            os.execve(SLEEP[0], SLEEP, {})
        os._exit(0)
    while not note.exists():
        time.sleep(0.02)
    if crash:
        os._exit(3)
    return int(note.read_text())
