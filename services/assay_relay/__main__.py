"""`python -m assay_relay`."""

from assay_relay.main import main

if __name__ == "__main__":
    main()
