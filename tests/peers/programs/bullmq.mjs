// BullMQ: N job schedulers with a cron pattern of seconds, and workers. The store keeps what has completed.
//
// `PEER_BACKEND` is `redis` or `postgres`. The process of role `caller` saves the schedulers, or starts jobs; those of
// role `worker` run them.

import { createRequire } from "node:module";

import { answered, called, callFor, inParallel, mode, number, ready, role, stop, url } from "./protocol.mjs";

// The packages are beside the virtual environment, not beside this file.
const require = createRequire(`${process.env.PEER_PACKAGES}/`);
const { Queue, Worker } = require("bullmq");

const onPostgres = process.env.PEER_BACKEND === "postgres";
const concurrency = Number(process.env.PEER_CONCURRENCY ?? "100");

function connection() {
  if (onPostgres) return { connectionString: url, max: 20, migrate: true };
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
}

function backend() {
  return onPostgres ? [require("bullmq").createPostgresBackend] : [];
}

/** The schedule and the instant of a job of a scheduler, which are in its id: repeat:SCHEDULER:MILLISECONDS. */
function fireOf(id) {
  const [, schedule, due] = id.split(":");
  return [Number(schedule), Number(due)];
}

const queue = new Queue("peers", { connection: connection() }, ...backend());
await queue.waitUntilReady();

if (role === "caller") {
  if (mode !== "starts") {
    const pattern = mode === "due" ? "*/5 * * * * *" : "* * * * * *";
    await inParallel(number, (n) => queue.upsertJobScheduler(String(n), { pattern }, { name: "noop" }));
  }
  const window = await ready();
  if (mode === "starts") {
    await callFor(window, (call) => queue.add("start", null, { jobId: `call-${call}` }));
  }
} else {
  // The schedulers are saved already: this process is started after the other is ready.
  const handler = async (job) => {
    if (mode === "starts") called(0, Number(job.id.slice(5)));
    else called(...fireOf(job.id));
  };
  const worker = new Worker("peers", handler, { connection: connection(), concurrency, autorun: false }, ...backend());
  worker.on("error", (error) => process.stderr.write(`${error.stack}\n`));
  await worker.waitUntilReady();
  worker.run();
  await ready();
}
await stop();
