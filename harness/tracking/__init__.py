"""Records, the ledger and MLflow: what is kept of a run and how it can be trusted."""
