"""Runs a command in a terminal of 120 columns, and prints the lines that a person has in front of them at its end, with those that were
scrolled away. The first argument is how long it may take, in seconds."""

import os
import pty
import select
import signal
import sys
import time

import pyte

COLUMNS, ROWS = 120, 40
screen = pyte.HistoryScreen(COLUMNS, ROWS, history=2000, ratio=1)
stream = pyte.ByteStream(screen)
child, terminal = pty.fork()
if child == 0:
    os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
    os.execvp(sys.argv[2], sys.argv[2:])
deadline = time.time() + float(sys.argv[1])
while time.time() < deadline:
    if not select.select([terminal], [], [], 1)[0]:
        continue
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    stream.feed(data)
else:
    os.kill(child, signal.SIGKILL)
_, status = os.waitpid(child, 0)
gone = ["".join(line[column].data for column in range(COLUMNS)).rstrip() for line in screen.history.top]
print("\n".join(gone + [line.rstrip() for line in screen.display]))
sys.exit(os.waitstatus_to_exitcode(status))
