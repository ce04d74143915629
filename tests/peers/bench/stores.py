"""Private stores of a measurement: a PostgreSQL or a Redis server that syncs to disk.

Each round gets a new, empty one, in a temporary folder, on a free port of 127.0.0.1. PostgreSQL has the settings of
FastJob's own benches. A store that does not start in time is an error, never a skipped figure.
"""

import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 30.0


class StoreFailed(Exception):
    """A store that could not be started."""


def free_port():
    """A port of this machine that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(port, server, log):
    """Waits until a server accepts connections."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise StoreFailed(f"{server.args[0]} did not start; it logged:\n{log.read_text()}")


class Server:
    """A server process with its folder; both are gone when the `with` block ends."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="fastjob-peers-"))
        self.port = free_port()
        self.log = self.folder / "log"
        try:
            self.process = self.start()
            wait_for(self.port, self.process, self.log)
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        process = getattr(self, "process", None)
        if process is not None and process.poll() is None:
            process.send_signal(self.stop_signal)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self):
        """What has to be there before the first client comes."""


class Postgres(Server):
    """PostgreSQL with fsync=on and synchronous_commit=on, which are its defaults."""

    word = "postgres"
    stop_signal = 2  # SIGINT: disconnects all clients

    def start(self):
        binaries = self.binaries()
        data = self.folder / "data"
        # PostgreSQL refuses to run as root.
        user = []
        if os.geteuid() == 0:
            user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(self.folder, "postgres", "postgres")
        initdb = [*user, f"{binaries}/initdb", "--username=peers", "--auth=trust", "--no-sync"]
        initdb += ["--encoding=UTF8", "--locale=C", "--pgdata", str(data)]
        with open(self.log, "wb") as log:
            made = subprocess.run(initdb, stdout=log, stderr=log, cwd=self.folder)
        if made.returncode != 0:
            raise StoreFailed(f"initdb failed:\n{self.log.read_text()}")
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", f"port={self.port}"]
        settings += ["max_connections=200", "shared_buffers=256MB", "max_wal_size=4GB"]
        options = [word for setting in settings for word in ("-c", setting)]
        with open(self.log, "ab") as log:
            server = [*user, f"{binaries}/postgres", "-D", str(data), *options]
            return subprocess.Popen(server, stdout=log, stderr=log, cwd=self.folder)

    def prepare(self):
        import psycopg

        until = time.monotonic() + PATIENCE
        while True:
            try:
                with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
                    connection.execute("create database peers")
                    return
            except psycopg.OperationalError as error:
                # It listens before it is ready.
                if time.monotonic() > until:
                    raise StoreFailed(f"PostgreSQL did not become ready: {error}") from error
                time.sleep(0.05)

    def url_of(self, database):
        return f"postgresql://peers@127.0.0.1:{self.port}/{database}"

    @property
    def url(self):
        return self.url_of("peers")

    @staticmethod
    def binaries():
        for folder in [*sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True), "/usr/local/bin", "/usr/bin"]:
            if os.path.exists(f"{folder}/initdb") and os.path.exists(f"{folder}/postgres"):
                return folder
        raise StoreFailed("PostgreSQL is not installed; tests/peers/setup says what is needed")

    @classmethod
    def version(cls):
        shown = subprocess.run([f"{cls.binaries()}/postgres", "--version"], capture_output=True, text=True, check=True)
        return "PostgreSQL " + shown.stdout.split()[2]


class Redis(Server):
    """Redis with an append-only file, and no eviction."""

    word = "redis"
    stop_signal = 15

    def __init__(self, fsync="everysec"):
        self.fsync = fsync

    def start(self):
        program = shutil.which("redis-server")
        if program is None:
            raise StoreFailed("redis-server is not installed; tests/peers/setup says what is needed")
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", self.fsync]
        command += ["--maxmemory-policy", "noeviction"]
        with open(self.log, "wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    @staticmethod
    def version():
        shown = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True)
        return "Redis " + shown.stdout.split("v=")[1].split()[0]
