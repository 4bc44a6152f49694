# SPDX-License-Identifier: Apache-2.0
"""Clocks that a test sets (tests/support/clock.c), for programs that it starts."""

import contextlib
import mmap
import os
import shutil
import struct
import subprocess
import tempfile

import mtlog_test as t

HERE = os.path.dirname(os.path.abspath(__file__))


class Shop:
    """Where clocks are made; skips where they cannot be."""

    def __init__(self):
        compiler = shutil.which(os.environ.get("CC", "cc").split()[0]) or shutil.which("gcc")
        if not compiler:
            t.skip("clocks of their own: there is no compiler")
        with open(t.MTLOGD, "rb") as f:
            if b"__asan_init" in f.read():
                t.skip("clocks of their own: a sanitizer's functions come first")
        self.folder = tempfile.mkdtemp(prefix="mtlog-clock-")
        self.object = os.path.join(self.folder, "clock.so")
        subprocess.run([compiler, "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", self.object,
                        os.path.join(HERE, "..", "support", "clock.c"), "-ldl", "-lpthread"], check=True, timeout=120)
        self.made = 0

    def clock(self):
        self.made += 1
        return Clock(self.object, os.path.join(self.folder, str(self.made)))

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Clock:
    """One for any number of programs, to be set while they run."""

    def __init__(self, preload, path):
        self.preload, self.path = preload, path
        with open(path, "wb") as f:
            f.write(bytes(16))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 16)

    def set(self, wall=0, monotonic=0):
        """Seconds beside the true time, and beside the time since the start."""
        self.map[:] = struct.pack("=qq", wall, monotonic)

    @contextlib.contextmanager
    def worn(self):
        """What is started meanwhile has this clock."""
        new = {"LD_PRELOAD": self.preload, "MTLOG_TEST_CLOCK": self.path}
        old = {name: os.environ.get(name) for name in new}
        os.environ.update(new)
        try:
            yield self
        finally:
            for name, value in old.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
