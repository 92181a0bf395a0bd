"""Metrics: one utterance in, a value or a reason out; and the step that scores a set."""
