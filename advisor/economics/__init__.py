"""Money: the user's inputs, prices, the ledger of every strategy, break-even, scenarios."""
