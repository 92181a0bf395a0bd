"""Networks that predict a metric's value without a reference."""
