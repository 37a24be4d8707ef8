"""What a batch does to the ledger: attribution and sums, inside one transaction.

`book` holds the transaction's view, `exposing`, `recording` and `closing` change it, `sweeping` forgets.
"""
