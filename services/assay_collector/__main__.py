"""`python -m assay_collector`."""

from assay_collector.main import main

if __name__ == "__main__":
    main()
