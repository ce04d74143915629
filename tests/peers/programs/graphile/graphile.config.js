// The settings that the documentation of Graphile Worker measures with.
module.exports = {
  worker: {
    connectionString: process.env.PEER_URL,
    fileExtensions: [".js"],
    gracefulShutdownAbortTimeout: 2500,
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};
