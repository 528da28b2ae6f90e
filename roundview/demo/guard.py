"""Runs one program and ends it when whoever started this process is gone, however it ended.

    python -m roundview.demo.guard SIGNAL ACCOUNT PROGRAM ARGUMENT...

The first line of the output is the program's process id; it is sent SIGNAL when standard input
closes. ACCOUNT is the system account it runs under, "-" for our own.
"""

from __future__ import annotations

import subprocess
import sys
import threading


def main() -> None:
    """Starts the program and waits for its end."""
    signal, account, *command = sys.argv[1:]
    who = None if account == "-" else account
    process = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        user=who,
        group=who,
        extra_groups=None if who is None else [],
        # Its own group: Ctrl+C at the demo ends the demo, which then ends the program.
        start_new_session=True,
    )
    sys.stdout.write(f"{process.pid}\n")
    sys.stdout.flush()

    def end() -> None:
        sys.stdin.buffer.read()
        process.send_signal(int(signal))

    threading.Thread(target=end, daemon=True).start()
    sys.exit(process.wait())


if __name__ == "__main__":
    main()
