"""Fair multi-objective fine-tuning of diffusion models: the companion of the FairHuman paper.

The packages follow the structure of the paper, and data flows through them in one direction::

    humans, data -> regions -> objectives -> fairness -> training -> sampling -> evaluation -> figures
"""

__version__ = "0.1.0"
