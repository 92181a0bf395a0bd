"""Transforms and band layouts that losses and models share."""
