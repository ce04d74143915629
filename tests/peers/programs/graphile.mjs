// Graphile Worker on PostgreSQL: jobs that are due at the same instant, and jobs that are added one by one.
//
// Its crontab has minutes, so there is no round of fires per second. Jobs that succeed are deleted.

import { createRequire } from "node:module";

import { called, callFor, mode, number, ready, role, stop, url } from "./protocol.mjs";

const require = createRequire(`${process.env.PEER_PACKAGES}/`);
const { Logger, makeWorkerUtils, run } = require("graphile-worker");

const preset = {
  worker: {
    connectionString: url,
    logger: new Logger(() => (level, message) => {
      if (level === "error") process.stderr.write(`${message}\n`);
    }),
    // The settings of its documentation for many short jobs.
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
    pollInterval: Number(process.env.PEER_POLL_MS ?? "100"),
  },
};

if (role === "caller") {
  const utils = await makeWorkerUtils({ preset });
  await utils.migrate();
  const window = await ready();
  if (mode === "starts") {
    await callFor(window, (call) => utils.addJob("start", { call }, { maxAttempts: 1 }));
  } else {
    for (let due = Math.ceil(window.from / 5000) * 5000; due < window.until; due += 5000) {
      const jobs = Array.from({ length: number }, (_, schedule) => ({
        identifier: "fire", payload: { schedule, due }, runAt: new Date(due), maxAttempts: 1,
      }));
      await utils.addJobs(jobs);
    }
  }
} else {
  await run({
    preset,
    taskList: {
      start: ({ call }) => called(0, call),
      fire: ({ schedule, due }) => called(schedule, due),
    },
  });
  await ready();
}
await stop();
