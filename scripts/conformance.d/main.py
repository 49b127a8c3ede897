"""Which stories are told, and how did they end? All at once, each in its own Region, on one served simulated AWS."""

import pathlib
import sys
import tempfile
import threading
import traceback

import recorded
import rollouts
from harness import Processes, Region, Tally

# A function URL names no Region; it is answered by the first that has the function, so `good` is told in the first of these.
STORIES = {
    "us-east-1": rollouts.good,
    "us-east-2": rollouts.by_cli,
    "us-west-1": rollouts.red_by_itself,
    "us-west-2": rollouts.red_by_hand,
    "us-west-3": rollouts.failing_hooks,
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
    with tempfile.TemporaryDirectory(prefix="canaryctl-conformance-") as directory:
        processes = Processes(binary, directory)
        try:
            processes.serve()
            arguments = lambda name: (processes, tally, name, pathlib.Path(directory))
            threads = [threading.Thread(target=tell, args=arguments(name), daemon=True) for name in STORIES]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            late = [name for name, thread in zip(STORIES, threads) if thread.is_alive()]
            tally.check("every story came to its end in time", not late, ", ".join(late))
        finally:
            processes.stop()
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


PATIENCE = 88.0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
