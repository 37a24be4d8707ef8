"""`python -m assay_cli` is `assay`."""

import sys

from assay_cli.main import main

sys.exit(main())
