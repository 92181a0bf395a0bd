"""What models and losses exchange: a batch of signals, and an estimate with its views."""
