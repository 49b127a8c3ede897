"""Which stories are told, and how did they end? All at once, each in its own Region, on one served simulated AWS."""

import pathlib
import signal
import sys
import tempfile
import threading
import time
import traceback

import recorded
import rollouts
from harness import Processes, Region, Tally

# All of them call their function `hello`, so a call that ends up in another Region shows.
STORIES = {
    "us-east-1": rollouts.good,
    "us-east-2": rollouts.by_cli,
    "us-west-1": rollouts.red_by_itself,
    "us-west-2": rollouts.red_by_hand,
    "eu-central-1": rollouts.failing_hooks,
    "eu-west-1": recorded.run,
}


def tell(processes, tally, name, directory):
    """Tells one story; what keeps it from being told is a failed check."""
    told = STORIES[name]
    try:
        more = [directory] if told is rollouts.by_cli else []
        told(Region(processes, name), tally, *more)
    except Exception:  # pylint: disable=broad-exception-caught
        tally.check(f"the story `{told.__name__}` could be told", False, traceback.format_exc())


def main(binary):
    """Tells every story and counts the checks."""
    tally = Tally()
    # Whoever ends this script is to find no server left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="canaryctl-conformance-") as directory:
        processes = Processes(binary, directory)
        try:
            processes.serve()
            arguments = lambda name: (processes, tally, name, pathlib.Path(directory))
            threads = [threading.Thread(target=tell, args=arguments(name), daemon=True) for name in STORIES]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + PATIENCE
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            late = [name for name, thread in zip(STORIES, threads) if thread.is_alive()]
            tally.check("every story came to its end in time", not late, ", ".join(late))
        finally:
            processes.stop()
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


# Seconds for all stories together; the slowest waits for an alarm that is judged once a minute.
PATIENCE = 85.0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
