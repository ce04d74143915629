"""Measures other systems on this machine; see README.md."""

import argparse
import json
import sys
import time
from pathlib import Path

import systems
from round import RoundFailed, run
from search import Search
from stores import StoreFailed
from usage import machine


def arguments():
    parser = argparse.ArgumentParser(prog="tests/peers/run", description=__doc__)
    parser.add_argument("systems", nargs="+", choices=["all", *systems.ALL], metavar="SYSTEM")
    parser.add_argument("--rates", help="fires per second to try, such as 100,200; default: search for the limit")
    parser.add_argument("--seconds", type=int, default=8, help="length of a run at a rate")
    parser.add_argument("--due", type=int, default=1_000, help="schedules due at the same instant; 0 leaves this out")
    parser.add_argument("--starts", type=int, default=5, help="seconds of immediate starts; 0 leaves this out")
    parser.add_argument("--callers", type=int, default=64, help="concurrent callers of immediate starts")
    parser.add_argument("--own", type=int, default=100_000, help="jobs of a system's own bench; 0 leaves it out")
    parser.add_argument("--budget", type=int, help="seconds per system, after which no round begins; default: of each system")
    parser.add_argument("--lose", action="store_true", help="let one fire of each run fail: no rate may hold then")
    parser.add_argument("--out", type=Path, default=systems.HOME / "figures.json")
    asked = parser.parse_args()
    if asked.rates is not None:
        try:
            asked.rates = [int(rate) for rate in asked.rates.split(",")]
        except ValueError:
            parser.error(f"--rates must be numbers with commas between them, not {asked.rates}")
    for name in ["seconds", "callers", "budget"]:
        if getattr(asked, name) is not None and getattr(asked, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return asked


def attempt(*args):
    """A round, or None if the system failed in it, which is printed."""
    try:
        outcome = run(*args)
        print(outcome, flush=True)
        return outcome
    except RoundFailed as error:
        print(f"  {args[2]}: FAILED: {error}", flush=True)
        return None


def measure(system, asked):
    """All figures of one system."""
    print(f"{system.title}\n  {system.durability}\n  {system.settings}", flush=True)
    until = time.monotonic() + (asked.budget or system.budget)
    outcomes = []
    if asked.due and "due" in system.modes:
        outcomes.append(attempt(system, "due", asked.due, 10, asked.lose))
    if asked.starts and "starts" in system.modes:
        outcomes.append(attempt(system, "starts", asked.callers, asked.starts, asked.lose))
    own = None
    if asked.own and system.own is not None:
        own = system.own(asked.own)
        print(f"  its own bench: {own['jobs']} jobs, {own['per_second']:.0f} per second", flush=True)
    found = None
    if "every" in system.modes:
        found = Search(asked.rates, system.first_rate)
        while (rate := found.next()) is not None and time.monotonic() < until:
            outcome = attempt(system, "every", rate, asked.seconds, asked.lose)
            outcomes.append(outcome)
            found.tried(rate, outcome)
        print(f"  {found}", flush=True)
    rounds = [outcome.to_json() for outcome in outcomes if outcome is not None]
    about = {"title": system.title, "durability": system.durability, "settings": system.settings}
    limits = found and {"holds": found.holds, "fails": found.fails}
    return {**about, "sustained": limits, "own": own, "rounds": rounds}


def main():
    asked = arguments()
    names = list(systems.ALL) if "all" in asked.systems else asked.systems
    print(machine(), flush=True)
    figures = {"machine": machine(), "lose": asked.lose, "systems": {}}
    try:
        for name in names:
            figures["systems"][name] = measure(systems.ALL[name](), asked)
            asked.out.write_text(json.dumps(figures, indent=1) + "\n")
    except StoreFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"all figures are in {asked.out}")
    if asked.lose:
        held = [name for name, of in figures["systems"].items() if any(it["holds"] for it in of["rounds"])]
        counted = [name for name, of in figures["systems"].items() if of["rounds"]]
        if held or counted != names:
            print(f"error: a lost fire was not noticed: {held}, not counted: {set(names) - set(counted)}")
            return 1
        print("every lost fire was noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
