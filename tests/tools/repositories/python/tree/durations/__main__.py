"""python3 -m durations SECONDS"""

import sys

from durations import write


def main(arguments):
    if len(arguments) != 1:
        print("usage: python3 -m durations SECONDS", file=sys.stderr)
        return 2
    print(write(int(arguments[0])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
