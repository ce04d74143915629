"""The search finds the limit: `python -m unittest discover tests/peers/bench`."""

import unittest
from types import SimpleNamespace

from search import Search


def outcome(rate, limit):
    share = 1 if rate <= limit else 0.95 if rate < 1.3 * limit else 0.5
    counted = SimpleNamespace(wanted=100, called_distinct=int(100 * share), recorded_distinct=None)
    return SimpleNamespace(holds=rate <= limit, counted=counted)


def tried(limit, first=100, rates=None):
    search, order = Search(rates, first), []
    while (rate := search.next()) is not None:
        order.append(rate)
        search.tried(rate, outcome(rate, limit))
    return search, order


class TheSearch(unittest.TestCase):
    def test_it_ends_beside_the_limit(self):
        for limit in [30, 99, 100, 101, 450, 777, 5_000, 123_456]:
            search, _ = tried(limit)
            self.assertLessEqual(search.holds or 0, limit)
            self.assertGreater(search.fails, limit)
            self.assertLessEqual(search.fails, 1.2 * max(search.holds or 0, 5))

    def test_a_rate_that_just_fails_is_tried_twice(self):
        _, order = tried(190)
        self.assertEqual(order[:3], [100, 200, 200])
        _, order = tried(110)
        self.assertEqual(order[:3], [100, 200, 150])

    def test_a_list_ends_at_the_first_rate_that_fails(self):
        search, order = tried(100, rates=[50, 100, 200, 400])
        self.assertEqual(order, [50, 100, 200])
        self.assertEqual((search.holds, search.fails), (100, 200))

    def test_a_round_that_failed_counts_as_a_failure(self):
        search = Search(None, 100)
        search.tried(100, None)
        self.assertEqual((search.holds, search.fails), (None, 100))


if __name__ == "__main__":
    unittest.main()
