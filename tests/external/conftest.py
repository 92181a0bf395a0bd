"""External models are tested on tiny ONNX files and on the tiny sets of the training tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
