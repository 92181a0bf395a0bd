"""sebench: ablation tables of speech enhancement as build targets."""

__version__ = "0.1.0"
