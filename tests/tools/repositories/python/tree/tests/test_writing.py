import unittest

from durations import write


class Writing(unittest.TestCase):
    def test_nothing_is_written_as_no_seconds(self):
        self.assertEqual(write(0), "0s")

    def test_units_are_written_from_the_largest(self):
        self.assertEqual(write(3725), "1h 2m 5s")

    def test_units_without_a_count_are_left_out(self):
        self.assertEqual(write(3600), "1h")

    def test_less_than_nothing_is_refused(self):
        with self.assertRaises(ValueError):
            write(-1)


if __name__ == "__main__":
    unittest.main()
