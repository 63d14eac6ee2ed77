#!/usr/bin/env python3
"""ap-backup against tar | zstd, restic and borg on the same data, in one run.

backup.py [FILES_MIB [DATABASE_MIB]]: times full and incremental backups (everything synced
to the disk), the peak memory of the largest process, and by how much a writer of the
database is slowed down meanwhile. What is compared takes turns; the medians count, and the
most memory. The last backup is restored and compared.
"""
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def timed(words, **more):
    """Runs `words`; seconds and the peak memory in KiB of it or the largest of its children."""
    log = tempfile.NamedTemporaryFile()
    start = time.monotonic()
    subprocess.run(["/usr/bin/time", "-o", log.name, "-f", "%M"] + words, check=True,
                   stdout=subprocess.DEVNULL, **more)
    seconds = time.monotonic() - start
    return seconds, int(log.read().split()[-1])


class Writer(threading.Thread):
    """Commits single rows to the database, and counts them."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.count = 0
        self.running = True
        self.worst = 0.0

    def run(self):
        database = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        database.execute("PRAGMA synchronous = NORMAL")
        while self.running:
            start = time.monotonic()
            database.execute("INSERT INTO events (created_at, kind) VALUES (1, 'bench.write')")
            self.worst = max(self.worst, time.monotonic() - start)
            self.count += 1
            time.sleep(0.002)
        database.close()


def rate_during(path, work):
    """Rows a second that a writer commits while `work` runs, and its longest wait."""
    writer = Writer(path)
    writer.start()
    start = time.monotonic()
    work()
    seconds = time.monotonic() - start
    writer.running = False
    writer.join()
    return writer.count / seconds, writer.worst


def change(state):
    """Changes one file in a hundred, and one row in a hundred of the database."""
    names = sorted(os.path.join(where, name)
                   for where, _, files in os.walk(state + "/.autonomous_runs")
                   for name in files)
    for name in names[::100]:
        with open(name, "ab") as file:
            file.write(b"one more line\n")
    database = sqlite3.connect(state + "/autopack.db", timeout=30)
    count = database.execute("SELECT max(event_id) FROM events").fetchone()[0]
    database.executemany("INSERT INTO events (created_at, kind, detail) VALUES (?, ?, ?)",
                         [(1, "bench.change", '{"text": "%s"}' % ("x" * 200))] * (count // 100))
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def middle(results):
    """The median of the seconds, and the most memory."""
    return (statistics.median(seconds for seconds, _ in results),
            max(memory for _, memory in results))


def each(results):
    return " ".join("%.2f" % seconds for seconds, _ in results)


def compare_full(out):
    """Full backups in turn with tar; returns the median seconds of both."""
    pack = "tar cf - . | zstd -q -3 %s >" + out + "/t.tar.zst; sync " + out + "/t.tar.zst"
    tars, ours = [], []
    for _ in range(5):
        tars.append(timed(["sh", "-c", pack % ""]))
        ours.append(timed(["ap-backup", "-q", "-o", out + "/full.tar.zst"]))
    tar, full = middle(tars), middle(ours)
    show("tar | zstd -3", tar)
    show("tar | zstd -3 -T2", timed(["sh", "-c", pack % "-T2"]), tar[0])
    show("ap-backup", full, tar[0])
    print("each: tar %s, ap-backup %s" % (each(tars), each(ours)))
    print("sizes: tar %d, ap-backup %d bytes" % (os.path.getsize(out + "/t.tar.zst"),
                                                os.path.getsize(out + "/full.tar.zst")))
    return tar[0], full[0]


def slow_down(name):
    """By how much a writer is slowed while a backup is written to the file `name`."""
    lost, waits = [], []
    for _ in range(3):
        alone, _ = rate_during("autopack.db", lambda: time.sleep(4))
        busy, worst = rate_during("autopack.db",
                                  lambda: timed(["ap-backup", "-q", "-o", name]))
        print("writer: %.0f commits/s alone, %.0f during a backup" % (alone, busy))
        lost.append(100 * (1 - busy / alone))
        waits.append(1000 * worst)
    print("writer: %.1f %% less, longest wait %.0f ms" % (statistics.median(lost), max(waits)))


def show(name, result, reference=None):
    ratio = "" if reference is None else "  %.2f of tar" % (result[0] / reference)
    print("%-34s %7.2f s  %7.1f MiB%s" % (name, result[0], result[1] / 1024, ratio), flush=True)


def main():
    files = sys.argv[1] if len(sys.argv) > 1 else "2048"
    size = sys.argv[2] if len(sys.argv) > 2 else "1024"
    base = tempfile.mkdtemp(prefix="ap-bench-", dir=os.environ.get("AP_BENCH_DIR", "/var/tmp"))
    state = base + "/state"
    try:
        subprocess.run([sys.executable, HERE + "/make-state", state, files, size], check=True)
        os.chdir(state)
        os.environ.update(RESTIC_PASSWORD="x", RESTIC_REPOSITORY=base + "/restic",
                          BORG_UNENCRYPTED_REPO_ACCESS_IS_OK="yes", HOME=base)
        out = base + "/out"
        os.mkdir(out)
        subprocess.run(["sh", "-c", "cat autopack.db >/dev/null; tar cf - . | cat >/dev/null"],
                       check=True)
        tar, full = compare_full(out)
        if shutil.which("restic"):
            subprocess.run(["restic", "init", "-q"], check=True)
            show("restic", timed(["restic", "backup", "-q", "."]), tar)
        if shutil.which("borg"):
            subprocess.run(["borg", "init", "-e", "none", base + "/borg"], check=True)
            show("borg zstd,3", timed(["borg", "create", "-C", "zstd,3", base + "/borg::a", "."]),
                 tar)
        slow_down(out + "/base.tar.zst")
        time.sleep(2.1)  # what changes within two seconds of a backup is read again
        change(state)
        os.sync()  # what was changed is not the backup's to write
        nexts = [timed(["ap-backup", "-q", "-i", out + "/base.tar.zst", "-o", out + "/next.tar.zst"])
                 for _ in range(3)]
        show("ap-backup --incremental, 1 %", middle(nexts))
        print("each: " + each(nexts))
        print("incremental: %.1f %% of the full time, %d bytes"
              % (100 * middle(nexts)[0] / full, os.path.getsize(out + "/next.tar.zst")))
        if shutil.which("restic"):
            show("restic again, 1 %", timed(["restic", "backup", "-q", "."]))
        if shutil.which("borg"):
            show("borg again, 1 %", timed(["borg", "create", "-C", "zstd,3", base + "/borg::b", "."]))
        restored = timed(["ap-restore", "-q", "-i", out + "/next.tar.zst", "--to", base + "/restored"])
        show("ap-restore", restored)
        subprocess.run(["diff", "-r", state + "/.autonomous_runs",
                        base + "/restored/.autonomous_runs"], check=True)
    finally:
        os.chdir("/")
        shutil.rmtree(base, ignore_errors=True)


main()
