"""`python -m mlanet` is `mlanet`."""

from mlanet.cli import main

if __name__ == "__main__":
    main()
