"""From the ledger to a child release: lessons, training against what memory holds, the gate, re-linking."""
