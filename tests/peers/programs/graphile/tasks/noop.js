// The task of Graphile Worker's own bench.
module.exports = () => {};
