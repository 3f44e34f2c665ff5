"""The routes, thin: read the request, call the use case, write the answer."""
