"""What every item must do, checked by `sebench check` and by the tests."""
