"""Processes that write to an event log until they are killed. Run as a script: `log_writers.py LOG KILLS SEED`.

A child of this small process starts in milliseconds, so that hundreds can be killed at random moments. Printed in the
end: the ids of all events that any of them acknowledged before it died.
"""

import os
import random
import signal
import sys
import threading
import time

from llmrec_lab.event_log import Event, SQLiteLog

THREADS = 4
ITEMS = ("alien", "blade-runner", "totoro", "spirited-away", "amelie")  # of the tiny world


def write_forever(path: str, child: int, out: int) -> None:
    """Append events from several threads, every third one twice; write an event's id to `out` once it is acknowledged."""
    log = SQLiteLog(path)

    def produce(thread: int) -> None:
        for n in range(1_000_000):
            event = Event(
                f"{child}-{thread}-{n}", f"user{thread}", str(n % 5), ("like", "skip")[n % 2], 1, 1_700_000_000 + n
            )
            log.append(event)
            if n % 3 == 0:
                log.append(event)  # as after a lost answer
            os.write(out, f"{event.event_id}\n".encode())

    threads = [threading.Thread(target=produce, args=(t,)) for t in range(THREADS)]
    for thread in threads:
        thread.start()


def run(path: str, kills: int, seed: int) -> str:
    """Start and kill writers, one after the other; return what they acknowledged."""
    rng, acknowledged = random.Random(seed), []
    for child in range(kills):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            write_forever(path, child, writing)
            threading.Event().wait()
        os.close(writing)
        time.sleep(rng.uniform(0.005, 0.06))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(reading) as pipe:
            acknowledged.append(pipe.read())
    return "".join(acknowledged)


if __name__ == "__main__":
    sys.stdout.write(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
