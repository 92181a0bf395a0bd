"""Intervals and verdicts by bootstrap over utterances."""
