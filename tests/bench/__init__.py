"""What things cost, beside a peer in the same run."""

import os

# before numpy is imported by whichever bench: threads of the linear algebra library only wait for each other, and count
for _library in ("OMP", "OPENBLAS"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
