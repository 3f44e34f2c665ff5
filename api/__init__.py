"""Every outward face: HTTP, web page, command line."""

import os

# Before anything imports numpy: marks and fingerprints are made of small products, for which threads only wait on each other.
# Requests and files are what runs in parallel.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
