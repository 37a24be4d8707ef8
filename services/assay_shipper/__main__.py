"""`python -m assay_shipper`."""

from assay_shipper.main import main

if __name__ == "__main__":
    main()
