"""From seconds to text."""

UNITS = ((3600, "h"), (60, "m"), (1, "s"))


def write(seconds):
    """Seconds as "1h 2m 5s"; units without a count are left out."""
    if seconds < 0:
        raise ValueError(f"a duration is not negative, got {seconds}")
    words = []
    for size, unit in UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            words.append(f"{count}{unit}")
    return " ".join(words) or "0s"
