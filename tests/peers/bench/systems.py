"""The systems that are measured: versions, settings, commands, and where each records outcomes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from stores import Postgres, Redis

PROGRAMS = Path(__file__).parent.parent / "programs"
# Where `setup` installs the packages.
HOME = Path(os.environ.get("PEERS_HOME", Path(__file__).parents[3] / "target" / "peers"))
PACKAGES = HOME / "node"
JARS = ["quartz2", "postgresql", "HikariCP", "slf4j-api", "slf4j-nop"]
ON_POSTGRES = "fsync=on, synchronous_commit=on: what is committed survives a crash of the machine"


def package(name):
    """The version of an installed package of npm."""
    return json.loads((PACKAGES / "node_modules" / name / "package.json").read_text())["version"]


class System:
    """What is common to all: a store, processes with the protocol of `round.py`, and no recorded outcomes."""

    has_instants = True
    modes = ("every", "due", "starts")
    # Where the search for the highest rate begins, and how long all rounds may take.
    first_rate = 100
    budget = 100
    own = None

    def store(self):
        return Postgres()

    def environment(self, store, mode, number, lose, **more):
        base = {"PEER_MODE": mode, "PEER_N": str(number), "PEER_URL": store.url, "PEER_LOSE": "1" if lose else "0"}
        return {**base, **more}

    def records(self, store, out):
        """Outcomes in the system's own store, or None if it has none."""
        return None


class Quartz(System):
    modes = ("every", "due", "starts")
    first_rate = 200
    budget = 110

    def __init__(self):
        debian = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libquartz2-java"], capture_output=True, text=True)
        self.title = f"Quartz {debian.stdout} of Debian, JobStoreTX, one node; {Postgres.version()}"
        self.durability = ON_POSTGRES + "; outcomes are not recorded"
        self.settings = "50 threads, batches of 50 triggers, HikariCP; not clustered, so without locks in the database"
        self.classes = HOME / "quartz"
        self.classes.mkdir(parents=True, exist_ok=True)
        self.path = ":".join([*(f"/usr/share/java/{jar}.jar" for jar in JARS), str(self.classes)])
        compiler = ["javac", "-cp", self.path, "-d", str(self.classes), str(PROGRAMS / "Fires.java")]
        subprocess.run(compiler, check=True)

    def commands(self, store, mode, number, lose):
        environment = self.environment(store, mode, number, lose)
        return [(["java", "-Xmx1g", "-cp", self.path, "Fires"], environment)]


class ApScheduler(System):
    budget = 80
    modes = ("every", "due")

    def __init__(self):
        versions = f"SQLAlchemy {version('sqlalchemy')}, psycopg {version('psycopg')}"
        self.title = f"APScheduler {version('apscheduler')}, SQLAlchemyJobStore ({versions}); {Postgres.version()}"
        self.durability = ON_POSTGRES + "; outcomes are not recorded"
        self.settings = "BackgroundScheduler, 20 threads, misfire_grace_time=60, max_instances=10"

    def commands(self, store, mode, number, lose):
        url = store.url.replace("postgresql:", "postgresql+psycopg:")
        environment = {**self.environment(store, mode, number, lose), "PEER_URL": url}
        return [([sys.executable, str(PROGRAMS / "apscheduler_peer.py")], environment)]


class Procrastinate(System):
    budget = 80

    def __init__(self):
        self.title = f"Procrastinate {version('procrastinate')} (psycopg {version('psycopg')}); {Postgres.version()}"
        self.durability = ON_POSTGRES + "; outcomes are recorded"
        self.settings = "2 worker processes with concurrency 50, of which one defers the periodic tasks"

    def store(self):
        class Prepared(Postgres):
            def prepare(store):
                super().prepare()
                command = [sys.executable, "-m", "procrastinate", "-a", "procrastinate_peer.app", "schema", "--apply"]
                environment = {**System.environment(self, store, "starts", 1, False), "PYTHONPATH": str(PROGRAMS)}
                made = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
                if made.returncode != 0:
                    raise RuntimeError(f"the schema of Procrastinate: {made.stderr}")

        return Prepared()

    def commands(self, store, mode, number, lose):
        roles = ["worker", "helper", *(["caller"] if mode == "starts" else [])]
        command = [sys.executable, str(PROGRAMS / "procrastinate_peer.py")]
        return [(command, self.environment(store, mode, number, lose, PEER_ROLE=role)) for role in roles]

    def records(self, store, out):
        import psycopg

        statement = """
            select coalesce((j.args->>'schedule')::bigint, 0),
                coalesce((j.args->>'timestamp')::bigint * 1000, (j.args->>'call')::bigint),
                extract(epoch from e.at) * 1000
            from procrastinate_jobs j join procrastinate_events e on e.job_id = j.id and e.type = 'succeeded'
            where j.status = 'succeeded'"""
        with psycopg.connect(store.url) as connection:
            return [(schedule, due, float(end)) for schedule, due, end in connection.execute(statement)]


class CeleryBeat(System):
    budget = 95
    has_instants = False

    def __init__(self):
        self.title = f"Celery {version('celery')} with beat (redis-py {version('redis')}); {Redis.version()}"
        self.durability = "appendonly, appendfsync=everysec: a crash of the machine loses the last second; outcomes are recorded"
        self.settings = "prefork, 2 processes, prefetch 128, results in Redis; entries of 1 s in the schedule of beat; due: eta"

    def store(self):
        return Redis()

    def commands(self, store, mode, number, lose):
        return [([sys.executable, str(PROGRAMS / "celery_peer.py")], self.environment(store, mode, number, lose))]

    def records(self, store, out):
        from datetime import datetime

        def ended(text):
            return datetime.fromisoformat(text).timestamp() * 1_000

        rows = json.loads((out / "records.json").read_text())
        return [(schedule, due, ended(end)) for schedule, due, _, end in rows]


class BullMq(System):
    """On Redis; the class below is on PostgreSQL."""

    first_rate = 500
    budget = 110
    workers = int(os.environ.get("PEER_WORKERS", "2"))
    backend = "redis"
    fsync = "everysec"

    def __init__(self):
        self.title = f"BullMQ {package('bullmq')} (ioredis {package('ioredis')}), job schedulers; {Redis.version()}"
        lost = "a crash of the machine loses the last second" if self.fsync == "everysec" else "each answer is synced"
        self.durability = f"appendonly, appendfsync={self.fsync}: {lost}; outcomes are recorded"
        self.settings = f"{self.workers} worker processes with concurrency 100"

    def store(self):
        return Redis(self.fsync)

    def commands(self, store, mode, number, lose):
        more = {"PEER_BACKEND": self.backend, "PEER_PACKAGES": str(PACKAGES)}
        command = ["node", str(PROGRAMS / "bullmq.mjs")]
        roles = ["caller", *["worker"] * self.workers]
        return [(command, self.environment(store, mode, number, lose, PEER_ROLE=role, **more)) for role in roles]

    def records(self, store, out):
        import redis

        # The id of a job of a scheduler is repeat:SCHEDULER:MILLISECONDS, and that of a start call-NUMBER.
        def fire(member):
            words = member.decode().replace("call-", "call:0:").split(":")
            return int(words[1]), int(words[2])

        client = redis.Redis.from_url(store.url)
        completed = client.zrange("bull:peers:completed", 0, -1, withscores=True)
        return [(*fire(member), end) for member, end in completed]


class BullMqAlways(BullMq):
    fsync = "always"


class BullMqPostgres(BullMq):
    backend = "postgres"
    first_rate = 100
    budget = 80

    def __init__(self):
        self.title = f"BullMQ {package('bullmq')} (pg {package('pg')}), job schedulers; {Postgres.version()}"
        self.durability = ON_POSTGRES + "; outcomes are recorded"
        self.settings = f"{self.workers} worker processes with concurrency 100"

    def store(self):
        return Postgres()

    def records(self, store, out):
        import psycopg

        statement = "select id, finished_at_ms from bullmq.job where state = 'completed'"
        with psycopg.connect(store.url) as connection:
            rows = list(connection.execute(statement))
        words = [(id.replace("call-", "call:0:").split(":"), end) for id, end in rows]
        return [(int(word[1]), int(word[2]), float(end)) for word, end in words]


class Graphile(System):
    modes = ("due", "starts")

    def __init__(self):
        self.title = f"Graphile Worker {package('graphile-worker')} (pg {package('pg')}); {Postgres.version()}"
        self.durability = ON_POSTGRES + "; a job that succeeded is deleted, so success leaves no record"
        self.settings = "1 worker, the settings of its documentation: 24 jobs, local queue of 500, batched completion; due: run_at, with a poll interval of 100 ms"

    def commands(self, store, mode, number, lose):
        command = ["node", str(PROGRAMS / "graphile.mjs")]
        more = {"PEER_PACKAGES": str(PACKAGES)}
        roles = ["caller", "worker"]
        return [(command, self.environment(store, mode, number, lose, PEER_ROLE=role, **more)) for role in roles]

    def own(self, jobs):
        """The load test of its repository, with its own command: jobs are added in one statement, then run to the end."""
        processes = 2
        cli = ["node", str(PACKAGES / "node_modules/graphile-worker/dist/cli.js")]
        folder = Path(tempfile.mkdtemp(prefix="fastjob-peers-graphile-"))
        try:
            shutil.copytree(PROGRAMS / "graphile", folder, dirs_exist_ok=True)
            with Postgres() as store:
                environment = {**os.environ, "PEER_URL": store.url, "NO_LOG_SUCCESS": "1", "NODE_ENV": "production"}

                def run(*words):
                    return subprocess.Popen([*cli, *words], env=environment, cwd=folder, stdout=subprocess.DEVNULL)

                def timed(many):
                    began = time.monotonic()
                    running = [run("--once", "-j", "24", "-m", "25") for _ in range(many)]
                    if any(process.wait(300) != 0 for process in running):
                        raise RuntimeError("graphile-worker --once failed")
                    return time.monotonic() - began

                if run("--schema-only").wait(60) != 0:
                    raise RuntimeError("graphile-worker --schema-only failed")
                start_and_end = timed(1)
                self._add(store, jobs)
                seconds = timed(processes) - start_and_end
                left = self._left(store)
                if left:
                    raise RuntimeError(f"{left} jobs were not run")
            return {"jobs": jobs, "processes": processes, "seconds": seconds, "per_second": jobs / seconds}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _add(store, jobs):
        import psycopg

        statement = """
            select graphile_worker.add_jobs(array(
                select row('noop', json_build_object('id', i), null, null, null, null, null, null)
                    ::graphile_worker.job_spec
                from generate_series(1, %s) i))"""
        with psycopg.connect(store.url) as connection:
            connection.execute(f"select count(*) from ({statement}) added", [jobs])

    @staticmethod
    def _left(store):
        import psycopg

        with psycopg.connect(store.url) as connection:
            return connection.execute("select count(*) from graphile_worker.jobs").fetchone()[0]


ALL = {
    "quartz": Quartz,
    "apscheduler": ApScheduler,
    "procrastinate": Procrastinate,
    "celery": CeleryBeat,
    "bullmq": BullMq,
    "bullmq-always": BullMqAlways,
    "bullmq-postgres": BullMqPostgres,
    "graphile": Graphile,
}
