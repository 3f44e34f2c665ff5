"""Bits ⇄ pixels and samples: invisible marks, found again blindly."""

import os

# The matrices here are small: a second thread of the linear algebra library only spins, at four times the processor time.
# The library looks at this when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
