"""Which stories are told, and how did they end? All at once, each in its own Region, on one served simulated AWS."""

import pathlib
import signal
import sys
import tempfile
import threading
import time
import traceback

import alarming
import assumptions
import deploying
import engines
import measuring
import messaging
import reading
import recorded
import rollouts
import signalling
import stacks
import written
from harness import Processes, Region, Tally

# All of them call their function `hello`, so a call that ends up in another Region shows.
STORIES = {
    "us-east-1": rollouts.good,
    "us-east-2": rollouts.by_cli,
    "us-west-1": rollouts.red_by_itself,
    "us-west-2": rollouts.red_by_hand,
    "eu-central-1": rollouts.failing_hooks,
    "eu-west-1": recorded.run,
    "eu-west-2": reading.run,
    "eu-west-3": alarming.run,
    "eu-north-1": measuring.run,
    "eu-south-1": written.run,
    "eu-south-2": signalling.run,
    "ap-south-1": engines.schedules,
    "ap-south-2": messaging.run,
    "ap-east-1": deploying.run,
    "ap-southeast-1": assumptions.run,
}


def tell(processes, tally, name, told, directory):
    """Tells one story; what keeps it from being told is a failed check."""
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
        empty, furnished = Processes(binary, directory), Processes(binary, directory)
        try:
            empty.serve()
            # State machines and the stacks of functions are furnished: no call makes one here.
            furnished.serve("--scenario", "hello-stack")
            told = [(empty, name, story) for name, story in STORIES.items()]
            told += [(furnished, "us-east-1", story) for story in (stacks.run, engines.guards)]
            arguments = lambda processes, name, story: (processes, tally, name, story, pathlib.Path(directory))
            threads = [threading.Thread(target=tell, args=arguments(*one), daemon=True) for one in told]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + PATIENCE
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            late = [story.__module__ for (_, _, story), thread in zip(told, threads) if thread.is_alive()]
            tally.check("every story came to its end in time", not late, ", ".join(late))
        finally:
            empty.stop()
            furnished.stop()
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


# Seconds for all stories together; the slowest waits for signals, which are used when CloudWatch has all of a minute.
PATIENCE = 600.0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
