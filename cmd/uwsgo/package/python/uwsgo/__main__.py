"""python -m uwsgo: run the server with this Python."""

import os
import sys

from . import find_program


def main() -> None:
    try:
        program = find_program()
    except FileNotFoundError as e:
        sys.exit(f"uwsgo: {e}")
    os.environ["UWSGO_PYTHON"] = sys.executable
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()
