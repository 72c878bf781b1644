"""Make many files to check: `python make_files.py 500` fills the folder `many`."""

import shutil
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> None:
    """Copy the samples in turn until there are as many as were asked for."""
    count = int(sys.argv[1])
    samples = sorted((FOLDER / "samples").glob("*.py"))
    many = FOLDER / "many"
    shutil.rmtree(many, ignore_errors=True)
    many.mkdir()
    for number in range(count):
        sample = samples[number % len(samples)]
        shutil.copyfile(sample, many / f"{sample.stem}_{number:03}.py")
    print(f"{count} files in {many}")


if __name__ == "__main__":
    main()
