"""Runs a command on a terminal of its own, as a person would, and prints what it wrote.

    terminal.py [--type TEXT]... -- COMMAND ARGUMENT...

Each --type waits until the command has written something that holds the words before "=>", and types the
words behind it ("^C" is Ctrl-C). The last line is "exit N".
"""
import os
import pty
import select
import sys
import time

LIMIT = 60  # seconds for it all


def main(arguments):
    typed, rest = [], arguments
    while rest[0] == "--type":
        seen, _, words = rest[1].partition("=>")
        typed.append((seen.encode(), words.replace("^C", "\x03").encode()))
        rest = rest[2:]
    command = rest[1:]
    pid, descriptor = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    written, looked, deadline = b"", 0, time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        ready, _, _ = select.select([descriptor], [], [], 1)
        if ready:
            try:
                more = os.read(descriptor, 4096)
            except OSError:  # Linux says so when the other side has ended
                break
            if not more:
                break
            written += more
        while typed and typed[0][0] in written[looked:]:
            looked = len(written)
            os.write(descriptor, typed.pop(0)[1])
    else:
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    sys.stdout.write(written.decode("utf-8", "replace").replace("\r\n", "\n"))
    sys.stdout.write("\nexit %d\n" % os.waitstatus_to_exitcode(status))


main(sys.argv[1:])
