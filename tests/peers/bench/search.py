"""The highest rate that holds: doubles until one fails, then halves the interval."""

# The search ends when the rate that fails is at most this much above the one that holds.
RESOLUTION = 1.15


class Search:
    """Which rate to try next. A rate that just fails is tried twice, as in FastJob's bench."""

    def __init__(self, rates, first):
        self.rates = None if rates is None else list(rates)
        self.first = first
        self.holds, self.fails, self.second_try = None, None, None

    def next(self):
        """The next rate, or None if the limit is known."""
        if self.second_try is not None:
            return self.second_try
        if self.rates is not None:
            above = [rate for rate in self.rates if rate > (self.holds or 0)]
            return None if self.fails is not None or not above else above[0]
        if self.fails is None:
            return self.first if self.holds is None else 2 * self.holds
        low = self.holds or 0
        middle = (low + self.fails) // 2
        # Round figures: two digits.
        step = 10 ** max(0, len(str(middle)) - 2)
        middle = middle // step * step
        return middle if self.fails > RESOLUTION * low and low < middle < self.fails else None

    def tried(self, rate, outcome):
        """Takes a result; None is a round in which the system failed."""
        if outcome is not None and outcome.holds:
            self.holds, self.second_try = rate, None
            return
        counted = outcome and outcome.counted
        just = counted and min(counted.called_distinct, counted.recorded_distinct or counted.wanted) > 0.9 * counted.wanted
        if just and self.second_try is None:
            self.second_try = rate
        else:
            self.fails, self.second_try = rate, None

    def __str__(self):
        text = f"sustained: {self.holds} per second" if self.holds else "no rate was sustained"
        if self.fails:
            return f"{text}; {self.fails} not"
        return f"{text}; more was not tried"
