"""What the count accepts and rejects: `python -m unittest discover tests/peers/bench`."""

import unittest

import count

START, UNTIL = 10_000, 13_000


def fires(schedules=2, late=5):
    return [(schedule, due, due + late) for due in (10_000, 11_000, 12_000) for schedule in range(schedules)]


def counted(calls, records=None):
    return count.of_instants(2, START, UNTIL, 1_000, calls, records)


class OfInstants(unittest.TestCase):
    def test_a_complete_run_holds(self):
        self.assertTrue(counted(fires(), fires()).holds)
        self.assertEqual(counted(fires()).late_ms, [5] * 6)

    def test_a_lost_fire_fails(self):
        for n in range(6):
            self.assertFalse(counted(fires()[:n] + fires()[n + 1 :]).holds)

    def test_a_fire_that_ran_twice_fails(self):
        self.assertFalse(counted(fires() + fires()[:1]).holds)

    def test_a_fire_that_ran_twice_does_not_hide_a_lost_one(self):
        self.assertFalse(counted(fires()[1:] + fires()[1:2]).holds)

    def test_a_fire_that_is_not_recorded_fails(self):
        self.assertFalse(counted(fires(), fires()[1:]).holds)
        self.assertFalse(counted(fires(), []).holds)

    def test_fires_outside_of_the_run_do_not_count(self):
        outside = [(0, 9_000, 9_005), (0, 13_000, 13_005), (2, 10_000, 10_005)]
        self.assertTrue(counted(fires() + outside).holds)

    def test_a_fire_more_than_two_seconds_after_the_end_fails(self):
        self.assertTrue(counted(fires()[:-1] + [(1, 12_000, 15_000)]).holds)
        self.assertFalse(counted(fires()[:-1] + [(1, 12_000, 15_001)]).holds)

    def test_nothing_is_not_success(self):
        self.assertFalse(count.of_instants(0, START, UNTIL, 1_000, [], []).holds)


class OfIntervals(unittest.TestCase):
    def check(self, calls, records=None):
        return count.of_intervals(1, 0, 5_000, 1_000, calls, records).holds

    def test_drift_is_allowed_and_lost_fires_are_not(self):
        calls = [(0, f"id{n}", n * 1_010) for n in range(5)]
        self.assertTrue(self.check(calls, calls))
        self.assertTrue(self.check(calls[:4], calls[:4]))
        self.assertFalse(self.check(calls[:3], calls[:3]))
        self.assertFalse(self.check([], []))

    def test_each_call_is_recorded_once(self):
        calls = [(0, f"id{n}", n * 1_000) for n in range(5)]
        self.assertFalse(self.check(calls, calls[1:]))
        self.assertFalse(self.check(calls, calls + calls[:1]))
        self.assertFalse(self.check(calls + calls[:1], calls))


class Percentile(unittest.TestCase):
    def test_of_a_hundred(self):
        self.assertEqual(count.percentile(list(range(100)), 0.5), 50)
        self.assertEqual(count.percentile(list(range(100)), 0.99), 99)
        self.assertIsNone(count.percentile([], 0.5))


if __name__ == "__main__":
    unittest.main()
