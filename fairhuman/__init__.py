"""Fair multi-objective fine-tuning of diffusion models: the companion of the FairHuman paper.

The packages follow the paper, and data flows through them one way::

    humans, data -> regions -> objectives -> fairness -> training -> sampling -> evaluation -> figures
"""

import os

__version__ = "0.1.0"

# Otherwise the first import of diffusers advises to install torchvision, which nothing here uses.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
