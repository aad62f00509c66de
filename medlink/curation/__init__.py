"""Annotation batches to ledger: checks, repairs, adjudication, agreement, and what counts at once."""
