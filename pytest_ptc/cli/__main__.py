"""`python -m pytest_ptc.cli`, as `ptc`."""

import sys

from pytest_ptc.cli.main import main

sys.exit(main())
