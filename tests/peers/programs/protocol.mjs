// The protocol of a round for the programs in JavaScript; see `bench/round.py`.

import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

export const mode = process.env.PEER_MODE;
export const role = process.env.PEER_ROLE ?? "";
export const number = Number(process.env.PEER_N);
export const url = process.env.PEER_URL;

const lose = process.env.PEER_LOSE === "1";
const calls = [];
let window = null;
let lost = false;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Milliseconds since 1970, with fractions. */
export const now = () => performance.timeOrigin + performance.now();

/** Notes a call of a handler. Fails once in a run if a fire has to get lost. */
export function called(schedule, due) {
  const start = now();
  if (lose && schedule === 0 && window !== null && start >= window.from && !lost) {
    lost = true;
    throw new Error("one fire has to get lost");
  }
  calls.push(`${schedule},${due},${start}\n`);
}

/** Notes the answer to the start with a number. */
export const answered = (call) => calls.push(`-1,${call},${now()}\n`);

/** Says that the run can begin, and returns its bounds. */
export async function ready() {
  process.stdout.write("ready\n");
  const [, from, until] = (await lines.next()).value.split(" ");
  window = { from: Number(from), until: Number(until) };
  return window;
}

/** Waits for the end, writes the calls, and ends the process. */
export async function stop() {
  const { value } = await lines.next();
  writeFileSync(`${process.env.PEER_OUT}/calls-${process.pid}.csv`, calls.join(""));
  process.exit(value === "stop" ? 0 : 1);
}

/** Starts from as many callers as there are, each after the other's answer, until the end of the run. */
export async function callFor({ from, until }, start) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, from - now())));
  let next = 0;
  const caller = async () => {
    while (now() < until) {
      const call = next++;
      await start(call);
      answered(call);
    }
  };
  await Promise.all(Array.from({ length: number }, caller));
}

/** Calls `each` for the numbers below `many`, 64 at a time. */
export async function inParallel(many, each) {
  let next = 0;
  const run = async () => {
    while (next < many) await each(next++);
  };
  await Promise.all(Array.from({ length: 64 }, run));
}
